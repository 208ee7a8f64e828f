// Package billing reads list prices from the Cloud Billing Catalog.
//
// The catalog knows no price of a machine: it has one for a core and one for a
// gigabyte of memory, per family, region and way of buying, told apart by the
// words of a description. So a price that is not found, is in another unit, or
// is far from the one it replaces is left as it was, and said in the log.
//
// It knows list prices only: no discounts, no contracts, no free tiers. It
// prices what the base lists and adds nothing to it.
package billing
