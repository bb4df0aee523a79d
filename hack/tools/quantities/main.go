// Command quantities computes with apimachinery what Kubernetes makes of quantities: registry/meta/testdata/quantities.json.
//
//	go run . ../../../registry/meta/testdata/quantities.json
//
// It keeps the inputs that are in the file, adds systematic and random ones (always the same), and computes every answer anew.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math/rand"
	"os"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
)

type vector struct {
	In string `json:"in"`
	// Absent or the error of ParseQuantity.
	Error string `json:"error,omitempty"`
	// The canonical form, MilliValue and family.
	Out    string `json:"out,omitempty"`
	Milli  string `json:"milli,omitempty"`
	Family string `json:"family,omitempty"`
	// What is added, and the canonical form of the sum.
	Plus string `json:"plus,omitempty"`
	Sum  string `json:"sum,omitempty"`
}

var suffixes = []string{"", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei", "e0", "e1", "e3", "e6", "E9", "e-1", "e-3", "e-9", "E-10", "e15", "e18"}

func compute(in, plus string) vector {
	v := vector{In: in}
	q, err := resource.ParseQuantity(in)
	if err != nil {
		v.Error = err.Error()
		return v
	}
	number, suffix := q.CanonicalizeBytes(nil)
	v.Out = string(number) + string(suffix)
	v.Milli = fmt.Sprint(q.MilliValue())
	v.Family = string(q.Format)
	if plus != "" {
		other := resource.MustParse(plus)
		q.Add(other)
		number, suffix := q.CanonicalizeBytes(nil)
		v.Plus = plus
		v.Sum = string(number) + string(suffix)
	}
	return v
}

func inputs() []string {
	numbers := []string{
		"0", "1", "9", "10", "12", "99", "100", "999", "1000", "1001", "1023", "1024", "1025", "1500", "2048", "10000", "123456", "1048576", "1000000", "999999999", "1000000000",
		"0.1", "0.5", "0.9", "0.01", "0.001", "0.0001", "0.0009", "0.00049", "0.0005", "0.000000001", "0.0000000001", "0.9999999999", "1.5", "1.25", "1.1", "1.0009", "1.9999", "2.5", "12.345", "1.0", "1.000", "01", "00.5", "100.000000001",
		"9223372036854775", "9223372036854776", "9223372036854775.807", "9223372036854775.808", "9223372036854775807", "9223372036854775808", "18446744073709551616", "92233720368547758070",
	}
	var out []string
	for _, number := range numbers {
		for _, suffix := range suffixes {
			out = append(out, number+suffix, "-"+number+suffix)
		}
	}
	out = append(out, "+1", "+1.5Gi", "+.5", "-.5", ".5Ki", "5.", "5.m", "1K", "1ki", "1KI", "1mi", "1e", "1E", "1e+3", "1e+", "1e-", "1ee3", "1e3e3", "1.e3", "1e1.5", "e3", "m", "Ki", "--1", "+-1", "1-", "1+1",
		" 1", "1 ", "1 m", "\t1", "0x1", "1_000", "1,5", "NaN", "Inf", "∞", "१", "1µ", "1.2.3", "..", ".", "-", "+", "1mm", "1kk", "1kM", "1Kii", "1e400", "1e-400", "1e99999", "-1e400")
	random := rand.New(rand.NewSource(1))
	digits := func(n int) string {
		var b strings.Builder
		for range n {
			b.WriteByte(byte('0' + random.Intn(10)))
		}
		return b.String()
	}
	for range 2000 {
		text := digits(1 + random.Intn(17))
		if random.Intn(2) == 0 {
			text += "." + digits(random.Intn(12))
		}
		if random.Intn(3) == 0 {
			text = "-" + text
		}
		out = append(out, text+suffixes[random.Intn(len(suffixes))])
	}
	return out
}

func run(file string) error {
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var known []vector
	if err := json.Unmarshal(content, &known); err != nil {
		return err
	}
	seen := map[string]bool{}
	var all []string
	add := func(in string) {
		if !seen[in] {
			seen[in] = true
			all = append(all, in)
		}
	}
	// Negative amounts come with their positive twins: MilliValue is wrong about some of them.
	addBoth := func(in string) {
		add(in)
		if twin, negative := strings.CutPrefix(in, "-"); negative {
			add(twin)
		}
	}
	for _, v := range known {
		addBoth(v.In)
	}
	for _, in := range inputs() {
		addBoth(in)
	}
	addends := []string{"1", "1n", "999m", "1k", "1Ki", "1e3", "1.5Gi", "-1", "-250m", "123456789u"}
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	defer out.Close()
	w := bufio.NewWriter(out)
	fmt.Fprintln(w, "[")
	for i, in := range all {
		line := &strings.Builder{}
		encoder := json.NewEncoder(line)
		encoder.SetEscapeHTML(false)
		plus := ""
		if i%3 == 0 {
			plus = addends[i/3%len(addends)]
		}
		if err := encoder.Encode(compute(in, plus)); err != nil {
			return err
		}
		comma := ","
		if i == len(all)-1 {
			comma = ""
		}
		fmt.Fprintf(w, "  %s%s\n", strings.TrimSuffix(line.String(), "\n"), comma)
	}
	fmt.Fprintln(w, "]")
	return w.Flush()
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: go run . FILE")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
