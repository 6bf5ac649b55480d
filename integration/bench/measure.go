//go:build linux

package main

import (
	"bytes"
	"fmt"
	"os/exec"
	"slices"
	"time"
)

// result is what one side takes for one object.
type result struct {
	side     side
	err      string // what it printed when it refused the object
	programs int    // loaded
	whole    time.Duration
	cpu      time.Duration // user and system
	user     time.Duration // outside bpf(2)
	phase    time.Duration // loading programs
	memory   int           // KiB
}

// measure runs the sides in turns: two rounds to warm up, rounds for the time,
// and as many with the tracer for what happens in between.
func measure(s []side, object string, rounds int, tracer *tracer) ([]result, error) {
	samples := make([][]result, len(s))
	const warmUp = 2
	for round := range warmUp + 2*rounds {
		traced := round >= warmUp+rounds
		if round == warmUp+rounds {
			if err := tracer.attach(); err != nil {
				return nil, err
			}
		}
		for i, side := range s {
			r, pid := side.run(object)
			if r.err == "" && traced {
				calls, err := tracer.read(pid)
				if err != nil {
					return nil, err
				}
				r.user, r.phase = r.whole-insideAny(calls), programPhase(calls)
			}
			if round >= warmUp {
				samples[i] = append(samples[i], r)
			}
		}
	}
	if err := tracer.detach(); err != nil {
		return nil, err
	}
	results := make([]result, len(s))
	for i, side := range s {
		results[i] = summarise(side, samples[i][:rounds], samples[i][rounds:])
	}
	return lessEmpty(results), nil
}

// run runs a side once.
func (s side) run(object string) (result, int) {
	args := append(slices.Clone(s.command[1:]), object)
	cmd := exec.Command(s.command[0], args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	r := result{side: s}
	start := time.Now()
	err := cmd.Run()
	r.whole = time.Since(start)
	if err != nil {
		r.err = fmt.Sprintf("%v: %s", err, bytes.TrimSpace(stderr.Bytes()))
		return r, 0
	}
	r.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	if _, err := fmt.Fscan(&stdout, &r.programs, &r.memory); err != nil {
		r.err = fmt.Sprintf("output: %v", err)
	}
	return r, cmd.Process.Pid
}

// summarise takes medians: the time from timed rounds, the rest from traced ones.
func summarise(s side, timed, traced []result) result {
	for _, r := range slices.Concat(timed, traced) {
		if r.err != "" {
			return r
		}
	}
	return result{
		side:     s,
		programs: timed[0].programs,
		memory:   median(timed, func(r result) int { return r.memory }),
		whole:    median(timed, func(r result) time.Duration { return r.whole }),
		cpu:      median(timed, func(r result) time.Duration { return r.cpu }),
		user:     median(traced, func(r result) time.Duration { return r.user }),
		phase:    median(traced, func(r result) time.Duration { return r.phase }),
	}
}

func median[T int | time.Duration](results []result, value func(result) T) T {
	values := make([]T, len(results))
	for i, r := range results {
		values[i] = value(r)
	}
	slices.Sort(values)
	return (values[(len(values)-1)/2] + values[len(values)/2]) / 2
}

// lessEmpty drops the empty programs from results, and takes what they take off the
// others.
func lessEmpty(results []result) []result {
	empty := make(map[string]result)
	for _, r := range results {
		if r.side.empty == "" {
			empty[r.side.name] = r
		}
	}
	var loaders []result
	for _, r := range results {
		if r.side.empty == "" {
			continue
		}
		if e := empty[r.side.empty]; r.err == "" {
			r.whole -= e.whole
			r.cpu -= e.cpu
			r.user -= e.user
			r.memory -= e.memory
		}
		loaders = append(loaders, r)
	}
	return loaders
}
