package main

import (
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"

	"factline.dev/cmd/factline/internal/render"
	"factline.dev/contract"
	"factline.dev/contract/generate"
)

func newContractsGenerate(a *app, folder *string) *cobra.Command {
	return newGroup("generate", "Write code and documents from the contracts",
		newContractsGenerateGo(a, folder), newContractsGenerateTests(a, folder),
		newGenerateAsyncAPI(a, folder), newGenerateMarkdown(a, folder), newGenerateSite(a, folder))
}

// goFile is the name of every generated file, one in a folder.
const goFile = "event_gen.go"

const testFile = "contract_gen_test.go"

func newContractsGenerateTests(a *app, folder *string) *cobra.Command {
	var opts goOptions
	cmd := &cobra.Command{
		Use:   "tests",
		Short: "Write a Go test that holds a service to the contracts it declares",
		Long: "Writes " + testFile + " into --out: a test with package contracttest of every consumer group and\n" +
			"every own event of the service. The package supplies contractConsumers and contractProducer.",
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error { return a.generateTests(*folder, opts) },
	}
	flags := cmd.Flags()
	flags.StringVar(&opts.Service, "service", "", "service whose contracts are tested")
	flags.StringSliceVar(&opts.Groups, "group", nil, "consumer groups that run (default all of the service)")
	flags.StringVar(&opts.out, "out", "", "folder to write to")
	flags.StringVar(&opts.Package, "package", "", "name of the Go package (default from the service)")
	return cmd
}

func (a *app) generateTests(folder string, opts goOptions) error {
	switch {
	case opts.Service == "":
		return usagef("--service: is required, the service whose contracts are tested")
	case opts.out == "":
		return usagef("--out: is required, the folder to write to")
	}
	catalogue, err := loadContracts(folder)
	if err != nil {
		return err
	}
	text, err := generate.Tests(catalogue, opts.Config)
	if err != nil {
		return err
	}
	if err := writeBelow(opts.out, testFile, text); err != nil {
		return err
	}
	return a.print([]string{filepath.Join(opts.out, testFile)}, func(w io.Writer) error {
		_, err := fmt.Fprintln(w, "wrote "+render.Safe(filepath.Join(opts.out, testFile)))
		return err
	})
}

type goOptions struct {
	generate.Config
	out string
}

func newContractsGenerateGo(a *app, folder *string) *cobra.Command {
	var opts goOptions
	cmd := &cobra.Command{
		Use:   "go",
		Short: "Write Go types that decode and check the events of a service",
		Long: "Writes " + goFile + " into --out: the events that the service owns, whole, and of those that it\n" +
			"reads the fields that its groups declare. Without --service, a folder below --out for every service.",
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error { return a.generateGo(*folder, opts) },
	}
	flags := cmd.Flags()
	flags.StringVar(&opts.Service, "service", "", "service whose events are written (default all)")
	flags.StringSliceVar(&opts.Groups, "group", nil, "consumer groups whose reads count (default all of the service)")
	flags.StringVar(&opts.out, "out", "", "folder to write to")
	flags.StringVar(&opts.Package, "package", "", "name of the Go package (default from the service)")
	flags.BoolVar(&opts.Unexported, "unexported", false, "keep the types inside their package")
	flags.StringVar(&opts.Decimal, "decimal", "", "type of amounts: import path, dot, name (default a string that keeps its spelling)")
	return cmd
}

func (a *app) generateGo(folder string, opts goOptions) error {
	if opts.out == "" {
		return usagef("--out: is required, the folder to write to")
	}
	catalogue, err := loadContracts(folder)
	if err != nil {
		return err
	}
	written, err := writeGo(catalogue, opts)
	if err != nil {
		return err
	}
	return a.print(written, func(w io.Writer) error {
		for _, path := range written {
			if _, err := fmt.Fprintln(w, "wrote "+render.Safe(path)); err != nil {
				return err
			}
		}
		return nil
	})
}

func writeGo(catalogue *contract.Catalogue, opts goOptions) (written []string, err error) {
	if opts.Service != "" {
		path := filepath.Join(opts.out, goFile)
		return []string{path}, writeGoFile(catalogue, opts.Config, path)
	}
	for _, s := range catalogue.Services() {
		cfg := opts.Config
		cfg.Service, cfg.Package = s.Name, ""
		path := filepath.Join(opts.out, cfg.WithDefaults().Package, goFile)
		if err := writeGoFile(catalogue, cfg, path); err != nil {
			return written, err
		}
		written = append(written, path)
	}
	return written, nil
}

func writeGoFile(catalogue *contract.Catalogue, cfg generate.Config, path string) error {
	text, err := generate.Go(catalogue, cfg)
	if err != nil {
		return err
	}
	return writeBelow(filepath.Dir(path), filepath.Base(path), text)
}
