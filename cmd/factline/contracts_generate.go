package main

import "github.com/spf13/cobra"

func newContractsGenerate(a *app, folder *string) *cobra.Command {
	return newGroup("generate", "Write what follows from the contracts",
		newGenerateAsyncAPI(a, folder), newGenerateMarkdown(a, folder), newGenerateSite(a, folder))
}
