package main

import (
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// sbom lists the modules that the linker has noted in the binary, as an SPDX 2.3
// document.
func (r *release) sbom() ([]byte, error) {
	info, err := buildinfo.Read(bytes.NewReader(r.binary))
	if err != nil {
		return nil, fmt.Errorf("the binary does not say what it is made of: %w", err)
	}
	sum := sha256.Sum256(r.binary)
	digest := hex.EncodeToString(sum[:])
	type pkg map[string]any
	packages := []pkg{{
		"SPDXID": "SPDXRef-tael-sql", "name": "tael-sql", "versionInfo": r.version, "downloadLocation": "NOASSERTION",
		"licenseConcluded": "Apache-2.0", "licenseDeclared": "Apache-2.0", "copyrightText": "NOASSERTION", "filesAnalyzed": false,
		"checksums": []pkg{{"algorithm": "SHA256", "checksumValue": digest}},
	}}
	relations := []pkg{{"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES", "relatedSpdxElement": "SPDXRef-tael-sql"}}
	add := func(id, name, version, purl string) {
		packages = append(packages, pkg{
			"SPDXID": id, "name": name, "versionInfo": version, "downloadLocation": "NOASSERTION",
			"licenseConcluded": "NOASSERTION", "licenseDeclared": "NOASSERTION", "copyrightText": "NOASSERTION", "filesAnalyzed": false,
			"externalRefs": []pkg{{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": purl}},
		})
		relations = append(relations, pkg{"spdxElementId": "SPDXRef-tael-sql", "relationshipType": "DEPENDS_ON", "relatedSpdxElement": id})
	}
	add("SPDXRef-go", "go", info.GoVersion, "pkg:golang/std@"+strings.TrimPrefix(info.GoVersion, "go"))
	for i, m := range info.Deps { // in the order of their paths
		if m.Replace != nil {
			m = m.Replace
		}
		add(fmt.Sprintf("SPDXRef-module-%d", i+1), m.Path, m.Version, "pkg:golang/"+m.Path+"@"+m.Version)
	}
	return json.MarshalIndent(pkg{
		"spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT", "name": "tael-sql-" + r.version,
		"documentNamespace": "https://github.com/tael-sql/tael-sql/spdx/" + digest,
		"creationInfo":      pkg{"created": r.epoch.Format(time.RFC3339), "creators": []string{"Tool: tael-sql-packaging"}},
		"packages":          packages, "relationships": relations,
	}, "", " ")
}
