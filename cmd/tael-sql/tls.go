package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// A certificate is read again when its files have changed, so that a new one
// needs no restart.
type certificate struct {
	cert, key string // files
	log       *slog.Logger

	mu      sync.Mutex // guards what follows
	loaded  *tls.Certificate
	changed [2]time.Time // of the files, as loaded or refused last
}

// newCertificate reads the files, and refuses a key that others can read.
func newCertificate(cert, key string, log *slog.Logger) (*certificate, error) {
	c := &certificate{cert: cert, key: key, log: log}
	if err := c.load(); err != nil {
		return nil, err
	}
	return c, nil
}

// load reads the files if they have changed. The caller holds mu, or is the only one.
func (c *certificate) load() error {
	var changed [2]time.Time
	for i, name := range []string{c.cert, c.key} {
		info, err := os.Stat(name)
		if err != nil {
			return err
		}
		if changed[i] = info.ModTime(); i == 1 && info.Mode().Perm()&0o077 != 0 {
			return fmt.Errorf("%s can be read by others: its permissions must be 0600 or less", name)
		}
	}
	if changed == c.changed {
		return nil
	}
	c.changed = changed
	pair, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err != nil {
		return err
	}
	c.loaded = &pair
	return nil
}

// get gives the newest certificate that could be read.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.load(); err != nil {
		c.log.Error("the TLS certificate was not read again", "error", err)
	}
	return c.loaded, nil
}

// tlsConfig is nil where no certificate is configured.
func (c *config) tlsConfig(log *slog.Logger) (*tls.Config, error) {
	if c.TLS.Cert == "" {
		return nil, nil
	}
	cert, err := newCertificate(c.TLS.Cert, c.TLS.Key, log)
	if err != nil {
		return nil, fmt.Errorf("tls.cert, tls.key: %w", err)
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: cert.get}
	if c.TLS.ClientCA != "" {
		raw, err := os.ReadFile(c.TLS.ClientCA)
		if err != nil {
			return nil, fmt.Errorf("tls.client_ca: %w", err)
		}
		config.ClientCAs, config.ClientAuth = x509.NewCertPool(), tls.VerifyClientCertIfGiven
		if !config.ClientCAs.AppendCertsFromPEM(raw) {
			return nil, errors.New("tls.client_ca: there is no certificate in the file")
		}
	}
	return config, nil
}
