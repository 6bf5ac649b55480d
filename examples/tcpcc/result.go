//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"io"
)

// calls returns how often a callback ran.
func (p *progress) calls(name string) uint64 {
	for _, c := range p.callbacks {
		if c.name == name {
			return c.calls
		}
	}
	return 0
}

func (p *progress) summary() string {
	return fmt.Sprintf("tcpcc: %d bytes, %d cong_avoid calls, cwnd max %d", p.last().bytes, p.calls("cong_avoid"), p.cwndMax)
}

func (p *progress) writeJSON(w io.Writer) error {
	now := p.last()
	callbacks := make(map[string]uint64)
	for _, c := range p.callbacks {
		callbacks[c.name] = c.calls
	}
	return json.NewEncoder(w).Encode(struct {
		Bytes          int64             `json:"bytes"`
		Seconds        float64           `json:"seconds"`
		BytesPerSecond float64           `json:"bytes_per_second"`
		CwndMin        uint32            `json:"cwnd_min"`
		CwndMax        uint32            `json:"cwnd_max"`
		Backoffs       uint64            `json:"backoffs"`
		Callbacks      map[string]uint64 `json:"callbacks"`
	}{now.bytes, now.at.Seconds(), float64(now.bytes) / now.at.Seconds(), p.cwndMin, p.cwndMax, p.backoffs, callbacks})
}
