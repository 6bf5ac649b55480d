// Report turns the output of go test -json into what a person wants to read: a
// line per package, the whole output of what failed, and why tests were skipped.
//
//	go test -json ./... | report -machine host -skips integration/skips.txt
//
// With CI=true in the environment a skip that the file of skips does not list
// for the machine counts as a failure, so that a test can't stop running
// unnoticed. Exits with status 1 if anything failed.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
)

func main() {
	machine := flag.String("machine", "host", "`name` of the machine in the file of skips")
	skips := flag.String("skips", "", "`file` that lists the skips that are right")
	flag.Parse()

	allowed, err := readSkips(*skips, *machine)
	if err != nil {
		fmt.Fprintln(os.Stderr, "report:", err)
		os.Exit(2)
	}
	r := report{out: os.Stdout, allowed: allowed, strict: os.Getenv("CI") == "true"}
	if err := r.read(os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, "report:", err)
		os.Exit(2)
	}
	if r.failed || r.packages == 0 {
		os.Exit(1)
	}
}

// event is what go test -json writes, see go doc test2json.
type event struct {
	Action  string
	Package string
	Test    string
	Output  string
	Elapsed float64 // seconds
}

// report follows the tests of one run.
type report struct {
	out     io.Writer
	allowed []rule
	strict  bool // a skip that no rule allows is a failure

	output   map[string]string // output so far, by package and test
	passed   map[string]int    // number of passed tests, by package
	packages int               // that passed or failed
	failed   bool
}

// rule allows the skips that match it.
type rule struct {
	*regexp.Regexp
	skips int // so far
}

// read consumes a whole run. Lines that are not events are passed on.
func (r *report) read(in io.Reader) error {
	r.output, r.passed = make(map[string]string), make(map[string]int)
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			fmt.Fprintln(r.out, lines.Text())
			continue
		}
		r.event(e)
	}
	for _, rule := range r.allowed {
		if rule.skips > 0 {
			fmt.Fprintf(r.out, "skip  %d tests: %s\n", rule.skips, rule)
		}
	}
	return lines.Err()
}

func (r *report) event(e event) {
	key := strings.TrimSpace(e.Package + " " + e.Test)
	switch e.Action {
	case "build-output":
		fmt.Fprint(r.out, e.Output)
	case "output":
		r.output[key] += e.Output
	case "fail":
		r.failed = true
		fmt.Fprint(r.out, r.output[key])
		if e.Test == "" {
			r.packages++
			fmt.Fprintf(r.out, "FAIL  %s  %.1fs\n", e.Package, e.Elapsed)
		}
	case "pass":
		if e.Test != "" {
			r.passed[e.Package]++
			break
		}
		r.packages++
		fmt.Fprintf(r.out, "ok    %s  %d tests, %.1fs\n", e.Package, r.passed[e.Package], e.Elapsed)
	case "skip":
		if e.Test != "" {
			r.skip(key, reason(r.output[key]))
		}
	}
	if e.Action == "pass" || e.Action == "skip" {
		delete(r.output, key)
	}
}

func (r *report) skip(test, reason string) {
	line := test + ": " + reason
	for i := range r.allowed {
		if r.allowed[i].MatchString(line) {
			r.allowed[i].skips++
			return
		}
	}
	fmt.Fprintln(r.out, "SKIP ", line)
	r.failed = r.failed || r.strict
}

var logLine = regexp.MustCompile(`(?m)^\s+\w+\.go:\d+: (.*)$`)

// reason returns what a test logged, which for a skipped one ends with the reason.
func reason(output string) string {
	var logged []string
	for _, m := range logLine.FindAllStringSubmatch(output, -1) {
		logged = append(logged, m[1])
	}
	return strings.Join(logged, "; ")
}

// readSkips returns the rules of the lines "MACHINE EXPRESSION" that are for the
// machine or for "*". Lines that begin with # are comments.
func readSkips(path, machine string) ([]rule, error) {
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var rules []rule
	for i, line := range strings.Split(string(text), "\n") {
		name, expr, _ := strings.Cut(line, " ")
		if line == "" || line[0] == '#' || (name != machine && name != "*") {
			continue
		}
		re, err := regexp.Compile(strings.TrimSpace(expr))
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, i+1, err)
		}
		rules = append(rules, rule{Regexp: re})
	}
	return rules, nil
}
