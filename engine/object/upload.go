package object

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/minio/minio-go/v7"
)

// partBytes is what an upload holds in memory. S3 takes 10,000 parts, so that
// an object can have 160 GB.
const partBytes = 16 << 20

// uploadTimeouts is how many timeouts a try of an upload has.
const uploadTimeouts = 4

// Put sends what write writes in parts, each with its MD5 and its SHA-256,
// which the server checks. What fits into one part is sent at once. The name has the content
// once the server has all parts and was told so; then it is asked for it.
func (b *Bucket) Put(ctx context.Context, name string, write func(io.Writer) error) (Info, error) {
	if err := checkName(name); err != nil {
		return Info{}, err
	}
	u := &upload{ctx: ctx, bucket: b, key: b.prefix + name}
	sum := newSummer(ctx, u)
	err := write(sum)
	if err == nil {
		err = u.finish()
	}
	if err != nil {
		u.abort()
		return Info{}, fmt.Errorf("put %s: %w", name, err)
	}
	stat, err := b.stat(ctx, name)
	if err == nil && (stat.Size != sum.bytes || stat.ETag != u.etag) {
		err = fmt.Errorf("%d bytes of version %q are there, not the %d of %q that were sent", stat.Size, stat.ETag, sum.bytes, u.etag)
	}
	if err != nil {
		return Info{}, fmt.Errorf("put %s: read back: %w", name, err)
	}
	return sum.info(), nil
}

// An upload is an object on its way, which lives within one Put.
type upload struct {
	ctx    context.Context
	bucket *Bucket
	key    string
	part   []byte // not sent yet

	id    string // empty until there are parts
	parts []minio.CompletePart
	md5s  []byte // of the parts
	etag  string // of the whole, as the server said
}

func (u *upload) Write(p []byte) (int, error) {
	written := len(p)
	for len(p) > 0 {
		if len(u.part) == u.bucket.part {
			if err := u.send(); err != nil {
				return 0, err
			}
		}
		n := min(len(p), u.bucket.part-len(u.part))
		u.part = append(u.part, p[:n]...)
		p = p[n:]
	}
	return written, nil
}

// sums gives the two checksums of what is sent, as their headers have them.
func sums(p []byte) (raw []byte, md5Base64, sha256Hex string) {
	m, s := md5.Sum(p), sha256.Sum256(p)
	return m[:], base64.StdEncoding.EncodeToString(m[:]), hex.EncodeToString(s[:])
}

// send sends a part.
func (u *upload) send() error {
	b := u.bucket
	if u.id == "" {
		err := b.try(u.ctx, b.timeout, func(ctx context.Context) (err error) {
			u.id, err = b.client.NewMultipartUpload(ctx, b.bucket, u.key, minio.PutObjectOptions{})
			return err
		})
		if err != nil {
			return err
		}
	}
	raw, md5Base64, sha256Hex := sums(u.part)
	number := len(u.parts) + 1
	return b.try(u.ctx, uploadTimeouts*b.timeout, func(ctx context.Context) error {
		sent, err := b.client.PutObjectPart(ctx, b.bucket, u.key, u.id, number, bytes.NewReader(u.part), int64(len(u.part)),
			minio.PutObjectPartOptions{Md5Base64: md5Base64, Sha256Hex: sha256Hex, DisableContentSha256: true})
		if err != nil {
			return err
		}
		u.parts = append(u.parts, minio.CompletePart{PartNumber: number, ETag: sent.ETag})
		u.md5s = append(u.md5s, raw...)
		u.part = u.part[:0]
		return nil
	})
}

// finish gives the object its name.
func (u *upload) finish() error {
	b := u.bucket
	if u.id == "" {
		_, md5Base64, sha256Hex := sums(u.part)
		return b.try(u.ctx, uploadTimeouts*b.timeout, func(ctx context.Context) error {
			sent, err := b.client.PutObject(ctx, b.bucket, u.key, bytes.NewReader(u.part), int64(len(u.part)), md5Base64, sha256Hex,
				minio.PutObjectOptions{DisableContentSha256: true})
			u.etag = sent.ETag
			return err
		})
	}
	if err := u.send(); err != nil {
		return err
	}
	err := b.try(u.ctx, uploadTimeouts*b.timeout, // servers may copy the parts now
		func(ctx context.Context) error {
			done, err := b.client.CompleteMultipartUpload(ctx, b.bucket, u.key, u.id, u.parts, minio.PutObjectOptions{})
			u.etag = done.ETag
			if answer, ok := errors.AsType[minio.ErrorResponse](err); ok && answer.Code == minio.NoSuchUpload {
				return u.completed(ctx, err)
			}
			return err
		})
	if err == nil {
		u.id = ""
	}
	return err
}

// completed says whether an upload that the server does not know is one that
// an earlier try completed, whose answer was lost.
func (u *upload) completed(ctx context.Context, unknown error) error {
	stat, err := u.bucket.client.StatObject(ctx, u.bucket.bucket, u.key, minio.StatObjectOptions{})
	if err != nil {
		return err
	}
	raw, _, _ := sums(u.md5s)
	if want := fmt.Sprintf("%s-%d", hex.EncodeToString(raw), len(u.parts)); stat.ETag != want {
		return unknown
	}
	u.etag = stat.ETag
	return nil
}

const abortFor = 5 * time.Second

// abort tells the server to forget the parts. If it does not hear it, Clean
// does.
func (u *upload) abort() {
	if u.id == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(u.ctx), min(abortFor, u.bucket.timeout))
	defer cancel()
	_ = u.bucket.client.AbortMultipartUpload(ctx, u.bucket.bucket, u.key, u.id)
}

// Clean has the server forget the parts of uploads that a crash left.
func (b *Bucket) Clean(ctx context.Context) error {
	var left []minio.ObjectMultipartInfo
	err := b.try(ctx, b.timeout, func(ctx context.Context) error {
		left = nil
		for upload := range b.client.ListIncompleteUploads(ctx, b.bucket, b.prefix, true) {
			if upload.Err != nil {
				return upload.Err
			}
			left = append(left, upload)
		}
		return ctx.Err() // which ends the list without an error
	})
	for _, upload := range left {
		if err != nil {
			break
		}
		err = b.try(ctx, b.timeout, func(ctx context.Context) error {
			return b.client.AbortMultipartUpload(ctx, b.bucket, upload.Key, upload.UploadID)
		})
	}
	if err != nil {
		return fmt.Errorf("forget uploads: %w", err)
	}
	return nil
}
