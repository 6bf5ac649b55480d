package btfx

import "testing"

func TestEssentialName(t *testing.T) {
	for name, want := range map[string]string{
		"":                        "",
		"a":                       "a",
		"___":                     "___",
		"foo":                     "foo",
		"foo___v2":                "foo",
		"foo___a___b":             "foo___a",
		"a___b":                   "a",
		"a__b":                    "a__b",
		"a____b":                  "a____b",
		"foo___":                  "foo___",
		"___pskb_trim":            "___pskb_trim",
		"foo____v2":               "foo____v2",
		"tcp_congestion_ops___v2": "tcp_congestion_ops",
		"_a___b":                  "_a",
	} {
		if got := EssentialName(name); got != want {
			t.Errorf("EssentialName(%q): %q, want %q", name, got, want)
		}
	}
}
