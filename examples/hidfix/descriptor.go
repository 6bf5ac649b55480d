//go:build linux

package main

import (
	"bytes"
	"fmt"
	"strings"
)

// An item is one entry of a report descriptor: a tag with up to 4 bytes of data.
type item []byte

// items splits a report descriptor. The last item may be cut short.
func items(descriptor []byte) []item {
	var all []item
	for len(descriptor) > 0 {
		size := 1 + []int{0, 1, 2, 4}[descriptor[0]&3]
		size = min(size, len(descriptor))
		all = append(all, descriptor[:size])
		descriptor = descriptor[size:]
	}
	return all
}

// tags are the names of items, as the HID specification has them.
var tags = map[byte]string{
	0x80: "Input", 0x90: "Output", 0xb0: "Feature", 0xa0: "Collection", 0xc0: "End Collection",
	0x04: "Usage Page", 0x14: "Logical Minimum", 0x24: "Logical Maximum", 0x74: "Report Size", 0x84: "Report ID", 0x94: "Report Count",
	0x08: "Usage", 0x18: "Usage Minimum", 0x28: "Usage Maximum",
}

// String renders an item as "81 06  Input (Data, Variable, Relative)".
func (it item) String() string {
	name := tags[it[0]&^3]
	if name == "" {
		name = "?"
	}
	if name == "Input" && len(it) > 1 {
		kind := []string{"Data", "Constant"}[it[1]&1]
		shape := []string{"Array", "Variable"}[it[1]>>1&1]
		scale := []string{"Absolute", "Relative"}[it[1]>>2&1]
		name += fmt.Sprintf(" (%s, %s, %s)", kind, shape, scale)
	} else if len(it) > 1 {
		value := 0
		for i, b := range it[1:] {
			value |= int(b) << (8 * i)
		}
		name += fmt.Sprintf(" (%d)", value)
	}
	return fmt.Sprintf("%-8s %s", fmt.Sprintf("% x", []byte(it)), name)
}

// compare lists the items of two descriptors, and marks those that differ.
func compare(before, after []byte) string {
	var b strings.Builder
	old, fixed := items(before), items(after)
	for i := range max(len(old), len(fixed)) {
		switch {
		case i >= len(old):
			fmt.Fprintf(&b, "+ %s\n", fixed[i])
		case i >= len(fixed):
			fmt.Fprintf(&b, "- %s\n", old[i])
		case bytes.Equal(old[i], fixed[i]):
			fmt.Fprintf(&b, "  %s\n", old[i])
		default:
			fmt.Fprintf(&b, "- %s\n+ %s\n", old[i], fixed[i])
		}
	}
	return b.String()
}
