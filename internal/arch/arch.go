// Package arch holds the test that keeps the layers of ARCHITECTURE.md true.
package arch
