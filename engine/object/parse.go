package object

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Parse gives the store that a setting names:
//
//	(empty)                        the folder given
//	/path  path  file:///path      a folder
//	s3://bucket/prefix?endpoint=https://host:9000&region=eu-1&timeout=10s&credentials=instance
//
// All parameters may be left out.
func Parse(setting, folder string, fs vfs.FS) (Store, error) {
	if setting == "" {
		return NewFolder(fs, folder), nil
	}
	if !strings.Contains(setting, "://") {
		return NewFolder(fs, filepath.Clean(setting)), nil
	}
	u, err := url.Parse(setting)
	if err != nil || u.User != nil { // the text may have a secret in it
		return nil, errors.New("object: not a path, file:///path or s3://bucket/prefix (credentials do not belong in it)")
	}
	switch u.Scheme {
	case "file":
		if u.Host != "" || u.Path == "" || u.RawQuery != "" {
			return nil, errors.New("object: not like file:///path")
		}
		return NewFolder(fs, filepath.Clean(u.Path)), nil
	case "s3":
		cfg, err := parseS3(u)
		if err != nil {
			return nil, err
		}
		return NewS3(cfg)
	default:
		return nil, fmt.Errorf("object: unknown scheme %q", u.Scheme)
	}
}

func parseS3(u *url.URL) (S3Config, error) {
	cfg := S3Config{Bucket: u.Host, Prefix: strings.Trim(u.Path, "/")}
	if cfg.Bucket == "" {
		return cfg, errors.New("object: not like s3://bucket/prefix")
	}
	values, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return cfg, errors.New("object: bad parameters of s3://")
	}
	for key, all := range values {
		value := all[0]
		switch key {
		case "endpoint":
			cfg.Endpoint = value
		case "region":
			cfg.Region = value
		case "timeout":
			if cfg.Timeout, err = time.ParseDuration(value); err != nil || cfg.Timeout <= 0 {
				return cfg, errors.New("object: timeout is not like 10s")
			}
		case "credentials":
			if value != "instance" {
				return cfg, errors.New(`object: credentials can be "instance"; else they come from the environment or from AWS's files`)
			}
			cfg.InstanceRole = true
		default:
			return cfg, fmt.Errorf("object: unknown parameter %q of s3://", key)
		}
	}
	return cfg, nil
}
