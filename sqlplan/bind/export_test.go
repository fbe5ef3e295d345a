package bind

// TestCatalog is the catalog of the tests, which the tests outside of the
// package set.
var TestCatalog Catalog
