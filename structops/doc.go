// Package structops loads and attaches struct_ops maps: from a C or Rust
// struct literal to a registered kernel object.
package structops
