package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
)

// image writes an OCI image layout (image-spec v1.1): a manifest, a config and
// one layer, each named by its hash under blobs/sha256. There is nothing in the
// image but the binary, which runs as a user without rights.
func (r *release) image(dir string) error {
	passwd := "tael-sql:x:65532:65532::/data:/sbin/nologin\n"
	layer, err := r.tarball("", []file{
		{"usr/bin/tael-sql", 0o755, r.binary}, {"etc/passwd", 0o644, []byte(passwd)}, {"etc/group", 0o644, []byte("tael-sql:x:65532:\n")},
	})
	if err != nil {
		return err
	}
	diff := sha256.Sum256(layer)
	packed, err := zipped(layer)
	if err != nil {
		return err
	}
	blobs := &blobs{dir: filepath.Join(dir, "blobs", "sha256")}
	layerRef := blobs.put("application/vnd.oci.image.layer.v1.tar+gzip", packed)
	config := blobs.json("application/vnd.oci.image.config.v1+json", map[string]any{
		"created": r.epoch, "architecture": r.arch, "os": "linux",
		"config": map[string]any{
			"User": "65532:65532", "Entrypoint": []string{"/usr/bin/tael-sql"}, "Cmd": []string{"serve", "--data-dir", "/data"},
			"WorkingDir": "/", "Volumes": map[string]any{"/data": map[string]any{}},
			"ExposedPorts": map[string]any{"5433/tcp": map[string]any{}, "4317/tcp": map[string]any{}, "4318/tcp": map[string]any{}},
			"Labels":       map[string]string{"org.opencontainers.image.title": "tael-sql", "org.opencontainers.image.version": r.version, "org.opencontainers.image.licenses": "Apache-2.0"},
		},
		"rootfs":  map[string]any{"type": "layers", "diff_ids": []string{"sha256:" + hex.EncodeToString(diff[:])}},
		"history": []any{map[string]any{"created": r.epoch, "created_by": "make dist"}},
	})
	manifest := blobs.json("application/vnd.oci.image.manifest.v1+json", map[string]any{
		"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": config, "layers": []any{layerRef},
	})
	manifest["annotations"] = map[string]string{"org.opencontainers.image.ref.name": r.version}
	if blobs.err != nil {
		return blobs.err
	}
	index, err := json.Marshal(map[string]any{
		"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": []any{manifest},
	})
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "index.json"), index, 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "oci-layout"), []byte(`{"imageLayoutVersion":"1.0.0"}`), 0o644)
}

// blobs writes content by its hash, until an error.
type blobs struct {
	dir string
	err error
}

// put gives the descriptor of what it writes.
func (b *blobs) put(mediaType string, content []byte) map[string]any {
	sum := sha256.Sum256(content)
	name := hex.EncodeToString(sum[:])
	if b.err == nil {
		b.err = os.MkdirAll(b.dir, 0o755)
	}
	if b.err == nil {
		b.err = os.WriteFile(filepath.Join(b.dir, name), content, 0o644)
	}
	return map[string]any{"mediaType": mediaType, "digest": "sha256:" + name, "size": len(content)}
}

func (b *blobs) json(mediaType string, v any) map[string]any {
	content, err := json.Marshal(v)
	if b.err == nil {
		b.err = err
	}
	return b.put(mediaType, content)
}
