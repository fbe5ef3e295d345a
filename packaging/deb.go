package main

import (
	"bytes"
	"crypto/md5" //nolint:gosec // the format wants it
	"fmt"
)

// deb makes a Debian package (deb(5)): an ar archive of three members
//
//	debian-binary   "2.0\n"
//	control.tar.gz  control, conffiles, md5sums, postinst, prerm
//	data.tar.gz     the files
func (r *release) deb() ([]byte, error) {
	data, err := r.documents("usr/share/doc/tael-sql")
	if err != nil {
		return nil, err
	}
	for from, f := range map[string]file{
		"packaging/files/tael-sql.service": {name: "lib/systemd/system/tael-sql.service", mode: 0o644},
		"packaging/files/tael-sql.yaml":    {name: "etc/tael-sql/tael-sql.yaml", mode: 0o644},
	} {
		read, err := r.read(from, f.name, f.mode)
		if err != nil {
			return nil, err
		}
		data = append(data, read)
	}
	data = append(data, file{"usr/bin/tael-sql", 0o755, r.binary})
	size := 0
	for _, f := range data {
		size += len(f.content)
	}
	content, err := r.tarball("./", data)
	if err != nil {
		return nil, err
	}
	var sums bytes.Buffer
	for _, f := range data { // tarball has sorted them
		fmt.Fprintf(&sums, "%x  %s\n", md5.Sum(f.content), f.name)
	}
	control := []file{
		{"control", 0o644, []byte(fmt.Sprintf(`Package: tael-sql
Version: %s
Architecture: %s
Maintainer: tael-sql maintainers <maintainers@tael-sql.invalid>
Installed-Size: %d
Depends: adduser
Section: database
Priority: optional
Description: PostgreSQL-wire SQL gateway over OpenTelemetry data
 Traces, logs and metrics come in over OTLP, are durable before they are
 acknowledged, and can be queried at once with PostgreSQL SQL.
`, r.version, r.arch, (size+1023)/1024))},
		{"conffiles", 0o644, []byte("/etc/tael-sql/tael-sql.yaml\n")},
		{"md5sums", 0o644, sums.Bytes()},
	}
	for _, name := range []string{"postinst", "prerm"} {
		script, err := r.read("packaging/files/"+name, name, 0o755)
		if err != nil {
			return nil, err
		}
		control = append(control, script)
	}
	meta, err := r.tarball("./", control)
	if err != nil {
		return nil, err
	}
	out := bytes.NewBufferString("!<arch>\n")
	for _, m := range []file{{"debian-binary", 0, []byte("2.0\n")}, {"control.tar.gz", 0, meta}, {"data.tar.gz", 0, content}} {
		if m.name != "debian-binary" {
			if m.content, err = zipped(m.content); err != nil {
				return nil, err
			}
		}
		fmt.Fprintf(out, "%-16s%-12d%-6d%-6d%-8s%-10d`\n", m.name, r.epoch.Unix(), 0, 0, "100644", len(m.content))
		out.Write(m.content)
		if len(m.content)%2 == 1 {
			out.WriteByte('\n')
		}
	}
	return out.Bytes(), nil
}
