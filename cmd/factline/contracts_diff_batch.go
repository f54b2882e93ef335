package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"

	"factline.dev/cmd/factline/internal/render"
	"factline.dev/contract/compat"
)

// batchRow is a line of the input.
type batchRow struct {
	ID  json.RawMessage `json:"id"`
	Old json.RawMessage `json:"old"`
	New json.RawMessage `json:"new"`
}

// batchVerdict is a line of the output.
type batchVerdict struct {
	ID json.RawMessage `json:"id"`
	compat.Result
}

// maxLineBytes bounds a line of a batch: two schemas of the largest size.
const maxLineBytes = 2*compat.MaxSchemaBytes + 4096

// diffBatch prints a verdict a line, in the order of the lines, as JSON lines
// with --json. A line that is no pair of schemas is unknown.
func (a *app) diffBatch(ctx context.Context, f *diffFlags) error {
	file, err := os.Open(f.batch)
	if err != nil {
		return failed(fmt.Errorf("contracts: read the batch: %w", err), "contracts diff --help")
	}
	defer file.Close()
	verdicts := make(chan chan batchVerdict, runtime.GOMAXPROCS(0))
	var lineErr error
	var reading sync.WaitGroup
	reading.Go(func() {
		defer close(verdicts)
		lineErr = eachLine(file, func(line []byte) {
			verdict := make(chan batchVerdict, 1)
			verdicts <- verdict
			go func() { verdict <- judgeLine(ctx, line, f.options) }()
		})
	})
	bad, printErr := 0, error(nil)
	for verdict := range verdicts {
		v := <-verdict
		if v.Verdict != compat.Compatible {
			bad++
		}
		if printErr == nil {
			printErr = a.printVerdict(v)
		}
	}
	reading.Wait()
	switch {
	case printErr != nil:
		return printErr
	case lineErr != nil:
		return failed(fmt.Errorf("contracts: read the batch %s: %w", f.batch, lineErr), "contracts diff --help")
	case bad > 0:
		return foundf("contracts diff --help", "contracts: %s of the batch not surely compatible", render.Count(bad, "pair"))
	}
	return nil
}

func eachLine(r io.Reader, do func([]byte)) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 64<<10), maxLineBytes)
	for lines.Scan() {
		if line := lines.Bytes(); len(line) > 0 {
			do(append([]byte(nil), line...))
		}
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return fmt.Errorf("a line is over the limit of %d bytes", maxLineBytes)
	}
	return lines.Err()
}

func judgeLine(ctx context.Context, line []byte, o compat.Options) batchVerdict {
	v := batchVerdict{ID: json.RawMessage("null"), Result: compat.Result{Verdict: compat.Unknown, Direction: o.Direction, Findings: []compat.Finding{}}}
	var row batchRow
	if err := json.Unmarshal(line, &row); err != nil || row.Old == nil || row.New == nil {
		v.Reason = "the line is no JSON object with id, old and new"
		return v
	}
	if row.ID != nil {
		v.ID = row.ID
	}
	old, err := compat.Parse("old", row.Old)
	if err == nil {
		var next *compat.Schema
		if next, err = compat.Parse("new", row.New); err == nil {
			v.Result = compat.Compare(ctx, old, next, o)
			return v
		}
	}
	v.Reason = err.Error()
	return v
}

func (a *app) printVerdict(v batchVerdict) error {
	if a.json {
		line, err := json.Marshal(v)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(a.out, "%s\n", line)
		return err
	}
	more := v.Reason
	if v.Witness != nil {
		more = shortened(string(v.Witness))
	}
	_, err := fmt.Fprintf(a.out, "%s\t%s\t%s\n", render.Safe(string(v.ID)), v.Verdict, render.Safe(more))
	return err
}
