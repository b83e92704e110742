// Loads a Compose file as docker compose does (the published schema, profiles, dependencies) and
// prints what it comes to as JSON: load FILE ENV-FILE.
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/compose-spec/compose-go/v2/cli"
)

func main() {
	options, err := cli.NewProjectOptions([]string{os.Args[1]}, cli.WithEnvFiles(os.Args[2]),
		cli.WithDotEnv, cli.WithDefaultProfiles(), cli.WithInterpolation(true),
		cli.WithResolvedPaths(true))
	if err != nil {
		log.Fatal(err)
	}
	project, err := options.LoadProject(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	text, err := project.MarshalJSON()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(text))
}
