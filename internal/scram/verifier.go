// Package scram proves that a client knows a password, without the password or
// anything that lets one log in being kept: SCRAM-SHA-256 and its form with
// channel binding (RFC 5802, RFC 7677), as PostgreSQL speaks them.
package scram

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/xdg-go/stringprep"
)

const (
	prefix     = "SCRAM-SHA-256$"
	saltBytes  = 16
	iterations = 4096 // PostgreSQL's default (scram_iterations)

	// maxIterations keeps a stored verifier from costing a login a minute.
	maxIterations = 1 << 20
)

// A Verifier is what is kept of a password.
type Verifier struct {
	Iterations           int
	Salt                 []byte
	StoredKey, ServerKey []byte // of 32 bytes
}

// NewVerifier makes the verifier of a password, with a salt of its own.
func NewVerifier(password string) Verifier {
	salt := make([]byte, saltBytes)
	_, _ = rand.Read(salt) // crypto/rand never fails
	return derive(password, salt, iterations)
}

func derive(password string, salt []byte, n int) Verifier {
	salted, err := pbkdf2.Key(sha256.New, normalize(password), salt, n, sha256.Size)
	if err != nil {
		panic("BUG: " + err.Error()) // only of a key length out of range
	}
	stored := sha256.Sum256(mac(salted, "Client Key"))
	return Verifier{Iterations: n, Salt: salt, StoredKey: stored[:], ServerKey: mac(salted, "Server Key")}
}

// normalize applies SASLprep; a password that it refuses is taken as it is, as
// PostgreSQL does.
func normalize(password string) string {
	if s, err := stringprep.SASLprep.Prepare(password); err == nil {
		return s
	}
	return password
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// String gives the verifier in PostgreSQL's form:
//
//	SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey
//
// with salt and keys in Base64.
func (v Verifier) String() string {
	b := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("%s%d:%s$%s:%s", prefix, v.Iterations, b(v.Salt), b(v.StoredKey), b(v.ServerKey))
}

// Parse is the inverse of String. ok is false where the text is no verifier.
func Parse(text string) (v Verifier, ok bool) {
	rest, ok := strings.CutPrefix(text, prefix)
	if !ok {
		return v, false
	}
	params, keys, ok := strings.Cut(rest, "$")
	if !ok {
		return v, false
	}
	count, salt, ok1 := strings.Cut(params, ":")
	stored, server, ok2 := strings.Cut(keys, ":")
	if !ok1 || !ok2 {
		return v, false
	}
	n, err := strconv.Atoi(count)
	var errs [3]error
	v.Iterations = n
	v.Salt, errs[0] = base64.StdEncoding.DecodeString(salt)
	v.StoredKey, errs[1] = base64.StdEncoding.DecodeString(stored)
	v.ServerKey, errs[2] = base64.StdEncoding.DecodeString(server)
	if err != nil || errors.Join(errs[:]...) != nil || n < 1 || n > maxIterations || len(v.Salt) == 0 ||
		len(v.StoredKey) != sha256.Size || len(v.ServerKey) != sha256.Size {
		return Verifier{}, false
	}
	return v, true
}

// Matches reports whether a password is the one of the verifier.
func (v Verifier) Matches(password string) bool {
	of := derive(password, v.Salt, v.Iterations)
	return subtle.ConstantTimeCompare(of.StoredKey, v.StoredKey) == 1
}

// Mock gives a verifier that no password matches, the same one for a name each
// time: an answer does not tell whether there is a user of that name. The secret
// is the server's.
func Mock(secret []byte, user string) Verifier {
	return Verifier{
		Iterations: iterations, Salt: mac(secret, "salt "+user)[:saltBytes],
		StoredKey: mac(secret, "stored "+user), ServerKey: mac(secret, "server "+user),
	}
}
