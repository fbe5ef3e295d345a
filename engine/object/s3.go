package object

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// S3Config says where a bucket is. Who asks is not in it: credentials come
// from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or from AWS's files in the
// home folder, by AWS_PROFILE, and from the machine's role only if asked for.
type S3Config struct {
	Bucket string
	Prefix string // what stands before each name and a '/'; may be empty

	// Endpoint is the server's http or https URL. Default: Amazon's.
	Endpoint string
	// Region of the bucket. Default: AWS_REGION, AWS_DEFAULT_REGION, else
	// Amazon is asked; other servers are taken to be in us-east-1.
	Region string
	// Timeout is for one try of one request, with its body; four times as long
	// for what uploads. Default 10 s.
	Timeout time.Duration
	// Rest is how long all requests fail at once after one has failed in all its
	// tries; then one tries whether the server is there again. So those who ask
	// often do not wait for each. Default 5 s; negative: none.
	Rest time.Duration
	// InstanceRole also asks the machine that runs us for credentials.
	InstanceRole bool
}

const (
	s3Tries      = 3 // of one request
	s3Pause      = 100 * time.Millisecond
	s3DialFor    = 5 * time.Second
	s3PageNames  = 1000
	s3Connecting = 16 // connections kept
)

// A Bucket is a Store of S3 objects.
//
// A request that fails for a reason that may pass is tried three times, each
// for at most the timeout; then there is a rest. No redirect is followed: what is asked, and with
// it the credentials, goes nowhere but to the endpoint.
type Bucket struct {
	client  minio.Core
	bucket  string
	prefix  string // empty, or ends with '/'
	timeout time.Duration
	part    int // bytes of a part of an upload
	rest    rest
}

// NewS3 gives the store in a bucket, which must exist. It asks nothing of the
// server yet.
func NewS3(cfg S3Config) (*Bucket, error) {
	if cfg.Prefix != "" {
		if err := checkName(cfg.Prefix); err != nil {
			return nil, fmt.Errorf("prefix: %w", err)
		}
		cfg.Prefix += "/"
	}
	host, secure := "s3.amazonaws.com", true
	region := cmp.Or(cfg.Region, os.Getenv("AWS_REGION"), os.Getenv("AWS_DEFAULT_REGION"))
	if cfg.Endpoint != "" {
		u, err := url.Parse(cfg.Endpoint)
		if err != nil || u.Host == "" || u.User != nil || u.Path != "" && u.Path != "/" || u.RawQuery != "" ||
			u.Scheme != "http" && u.Scheme != "https" {
			return nil, errors.New("object: endpoint is not like https://host:port")
		}
		host, secure = u.Host, u.Scheme == "https"
		region = cmp.Or(region, "us-east-1")
	}
	transport, err := minio.DefaultTransport(secure)
	if err != nil {
		return nil, fmt.Errorf("s3: %w", err)
	}
	transport.DialContext = (&net.Dialer{Timeout: s3DialFor}).DialContext
	transport.MaxIdleConnsPerHost = s3Connecting
	transport.ResponseHeaderTimeout = 0 // the timeout of the try
	who := []credentials.Provider{&credentials.EnvAWS{}, &credentials.FileAWSCredentials{}}
	if cfg.InstanceRole {
		who = append(who, &credentials.IAM{})
	}
	client, err := minio.NewCore(host, &minio.Options{
		Creds: credentials.NewChainCredentials(who), Secure: secure, Region: region, Transport: transport, MaxRetries: 1,
	})
	if err != nil {
		return nil, fmt.Errorf("s3: %w", err)
	}
	return &Bucket{
		client: *client, bucket: cfg.Bucket, prefix: cfg.Prefix,
		timeout: cmp.Or(cfg.Timeout, 10*time.Second), part: partBytes,
		rest: rest{length: cmp.Or(cfg.Rest, 5*time.Second)},
	}, nil
}

// Open asks for the object's size and version. Reads of another version fail.
func (b *Bucket) Open(ctx context.Context, name string) (Reader, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	stat, err := b.stat(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	return &objectReader{bucket: b, name: name, size: stat.Size, etag: stat.ETag}, nil
}

func (b *Bucket) stat(ctx context.Context, name string) (stat minio.ObjectInfo, err error) {
	err = b.try(ctx, b.timeout, func(ctx context.Context) error {
		stat, err = b.client.StatObject(ctx, b.bucket, b.prefix+name, minio.StatObjectOptions{})
		return err
	})
	if !errors.Is(err, ErrMissing) {
		return stat, err
	}
	// The answer has no body that could tell whether the bucket is missing.
	var exists bool
	bucketErr := b.try(ctx, b.timeout, func(ctx context.Context) (err error) {
		exists, err = b.client.BucketExists(ctx, b.bucket)
		return err
	})
	if bucketErr == nil && !exists {
		return stat, fmt.Errorf("%w: no bucket %s", ErrUnavailable, b.bucket)
	}
	return stat, err
}

// Delete deletes the object.
func (b *Bucket) Delete(ctx context.Context, name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	err := b.try(ctx, b.timeout, func(ctx context.Context) error {
		return b.client.RemoveObject(ctx, b.bucket, b.prefix+name, minio.RemoveObjectOptions{})
	})
	if err != nil && !errors.Is(err, ErrMissing) {
		return fmt.Errorf("delete %s: %w", name, err)
	}
	return nil
}

// List asks for a thousand names at a time.
func (b *Bucket) List(ctx context.Context, prefix string, fn func(name string, size int64) error) error {
	if err := checkPrefix(prefix); err != nil {
		return err
	}
	last := ""
	for {
		page := make([]minio.ObjectInfo, 0, s3PageNames)
		err := b.try(ctx, b.timeout, func(ctx context.Context) error {
			ctx, cancel := context.WithCancel(ctx) // or the iterator's goroutines stay
			defer cancel()
			page = page[:0]
			for o := range b.client.ListObjectsIter(ctx, b.bucket, minio.ListObjectsOptions{
				Prefix: b.prefix + prefix, StartAfter: last, Recursive: true, MaxKeys: s3PageNames,
			}) {
				if o.Err != nil {
					return o.Err
				}
				if page = append(page, o); len(page) == s3PageNames {
					break
				}
			}
			return ctx.Err() // which ends the iterator without an error
		})
		if err != nil {
			return fmt.Errorf("list %s: %w", prefix, err)
		}
		for _, o := range page {
			name, ok := strings.CutPrefix(o.Key, b.prefix)
			if !ok || checkName(name) != nil {
				continue // none of ours
			}
			if err := fn(name, o.Size); err != nil {
				return err
			}
		}
		if len(page) < s3PageNames {
			return nil
		}
		last = page[len(page)-1].Key
	}
}

// An objectReader reads one version of an object, by one request for each
// ReadAt.
type objectReader struct {
	bucket *Bucket
	name   string
	size   int64
	etag   string
}

func (r *objectReader) Size() int64  { return r.size }
func (r *objectReader) Close() error { return nil }

// PieceBytes is how much is best asked for at once: the first byte of an answer
// takes as long as the next megabyte.
func (r *objectReader) PieceBytes() int { return 512 << 10 }

func (r *objectReader) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fmt.Errorf("read %s: offset %d", r.name, off)
	}
	if off >= r.size {
		return 0, io.EOF
	}
	short := int64(len(p)) > r.size-off
	if short {
		p = p[:r.size-off]
	}
	if len(p) == 0 {
		return 0, nil
	}
	err := r.bucket.try(context.Background(), r.bucket.timeout, func(ctx context.Context) error {
		return r.read(ctx, p, off)
	})
	if err != nil {
		return 0, fmt.Errorf("read %s: %w", r.name, err)
	}
	if short {
		return len(p), io.EOF
	}
	return len(p), nil
}

// read fills p from one answer.
func (r *objectReader) read(ctx context.Context, p []byte, off int64) error {
	var opts minio.GetObjectOptions
	if err := errors.Join(opts.SetRange(off, off+int64(len(p))-1), opts.SetMatchETag(r.etag)); err != nil {
		return err
	}
	body, _, header, err := r.bucket.client.GetObject(ctx, r.bucket.bucket, r.bucket.prefix+r.name, opts)
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }() // what was wanted of it is read
	if got, want := header.Get("Content-Range"), "bytes "+strconv.FormatInt(off, 10)+"-"; !strings.HasPrefix(got, want) {
		return fmt.Errorf("asked for %s, answered %q", want, got)
	}
	_, err = io.ReadFull(body, p)
	return err
}

// try calls a request until it succeeds, fails for good, or was tried often
// enough.
func (b *Bucket) try(ctx context.Context, timeout time.Duration, request func(context.Context) error) error {
	tries, err := b.rest.begin()
	if err != nil {
		return err
	}
	for n := range tries {
		err := b.once(ctx, timeout, request)
		if err == nil {
			b.rest.end(nil)
			return nil
		}
		if ctx.Err() != nil {
			b.rest.end(nil) // nothing is known of the server
			return ctx.Err()
		}
		final, passes := judge(err)
		if !passes {
			b.rest.end(nil)
			return final
		}
		if n == tries-1 {
			b.rest.end(final)
			return final
		}
		pause := time.NewTimer(s3Pause<<n/2 + rand.N(s3Pause<<n))
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			b.rest.end(nil)
			return ctx.Err()
		}
	}
	panic("BUG: no last try")
}

func (b *Bucket) once(ctx context.Context, timeout time.Duration, request func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return request(ctx)
}

// judge makes an error one of ours, and says whether to try again. The cause
// is text only: that a try ran into its timeout is not the caller's.
func judge(err error) (ours error, passes bool) {
	answer, ok := errors.AsType[minio.ErrorResponse](err)
	switch status := answer.StatusCode; {
	case !ok || status == 0: // nothing came, or not all of it
		return fmt.Errorf("%w: %v", ErrUnavailable, err), true
	case status == http.StatusNotFound && answer.Code == minio.NoSuchKey:
		return fmt.Errorf("%w: %v", ErrMissing, err), false
	case status == http.StatusPreconditionFailed:
		return errors.New("object: replaced while it was read"), false
	default:
		passes := status >= 500 || status == http.StatusRequestTimeout || status == http.StatusTooManyRequests ||
			answer.Code == "RequestTimeout" || answer.Code == "IncompleteBody" || answer.Code == "BadDigest"
		return fmt.Errorf("%w: %d %s: %v", ErrUnavailable, status, answer.Code, err), passes
	}
}

// A rest lets requests fail at once for a time after a failure.
type rest struct {
	length time.Duration

	mu      sync.Mutex
	failure error     // nil: the server is there, as far as is known
	until   time.Time // of the rest
	probing bool      // one request tries whether it is there again
}

// begin gives the tries that a request has, or an error if there is a rest.
// Whoever may try calls end.
func (r *rest) begin() (tries int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.failure == nil || r.length < 0:
		return s3Tries, nil
	case r.probing || time.Now().Before(r.until):
		return 0, fmt.Errorf("a moment ago: %w", r.failure)
	}
	r.probing = true
	return 1, nil
}

func (r *rest) end(failure error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failure, r.until, r.probing = failure, time.Now().Add(r.length), false
}
