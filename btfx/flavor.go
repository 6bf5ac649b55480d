package btfx

import "strings"

// EssentialName returns a name without its flavor: everything from the last
// "___" that has a character other than an underscore on both sides.
//
//	tcp_congestion_ops___v2 -> tcp_congestion_ops
//	___pskb_trim            -> ___pskb_trim
//
// Mirrors libbpf bpf_core_essential_name_len. Differs from cilium/ebpf
// v0.22.0, which takes any last "___" for the start of a flavor.
func EssentialName(name string) string {
	for i := len(name) - 5; i >= 0; i-- {
		if name[i] != '_' && strings.HasPrefix(name[i+1:], "___") && name[i+4] != '_' {
			return name[:i+1]
		}
	}
	return name
}
