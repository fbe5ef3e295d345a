// Package s3test tests what stands on an S3 bucket against a real server,
// which needs more modules than the rest of the project together.
package s3test
