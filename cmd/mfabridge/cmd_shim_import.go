package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"mfabridge/internal/durable"
	"mfabridge/internal/hint"
	"mfabridge/internal/secret"
	"mfabridge/migrate/shimconf"
	"mfabridge/shim/config"
)

func (p *program) shimImportCommand() *cli.Command {
	return &cli.Command{
		Name: "import", Usage: "make a configuration of the RADIUS settings in EXPORT", ArgsUsage: "EXPORT",
		Description: "Writes shim.yaml and a file for each shared secret (readable by you alone) into a folder, and replaces nothing\n" +
			"there. What the export does not say is left empty, so that the shim refuses to start until somebody fills it in;\n" +
			"what the shim does not do stands there as a comment with the code of its finding.",
		Flags: append(exportFlags(),
			&cli.StringFlag{Name: "out", Aliases: []string{"o"}, Value: ".", Usage: "`FOLDER` for the configuration and the secrets"},
			&cli.StringFlag{Name: "store", Value: "sqlite:cloud.db", Usage: "the engine's `STORE`, as engine.store has it"}),
		Action: p.shimImport,
	}
}

func (p *program) shimImport(c *cli.Context) (err error) {
	given, err := args(c, "EXPORT")
	if err != nil {
		return err
	}
	export, err := p.openExport(c, given[0])
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, export.Close()) }()
	made, err := shimconf.Convert(export.Settings(), shimconf.Options{Store: c.String("store"), Source: filepath.Base(given[0])})
	if err != nil {
		return err
	}
	folder := c.String("out")
	path := filepath.Join(folder, "shim.yaml")
	if err := writeImported(folder, append(slices.Clone(made.Secrets), shimconf.File{Name: "shim.yaml", Value: secret.FromString(made.YAML)})); err != nil {
		return err
	}
	fmt.Fprintf(p.out, "%s: %d clients, %d secrets in files of their own\n", path, made.Clients, len(made.Secrets))
	for _, note := range made.Notes {
		fmt.Fprintf(p.out, "look at  %s\n", note)
	}
	if _, _, err := config.Load(path); err != nil {
		for _, line := range strings.Split(err.Error(), "\n") {
			fmt.Fprintf(p.out, "fill in  %s\n", line)
		}
	}
	fmt.Fprintf(p.out, "\nnext: mfabridge shim check --config %s\nEvery client is observed: shim check says, client by client, when message_authenticator: require is safe.\n", path)
	return nil
}

// writeImported writes all files into a folder, or none: secrets that a failed
// import left behind would lie there for whoever comes by.
func writeImported(folder string, files []shimconf.File) (err error) {
	for _, f := range files {
		if _, err := os.Lstat(filepath.Join(folder, f.Name)); err == nil {
			return alreadyThere(filepath.Join(folder, f.Name))
		}
	}
	_, absent := os.Lstat(folder)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return fmt.Errorf("folder cannot be made: %w", err)
	}
	var made []string
	if errors.Is(absent, fs.ErrNotExist) {
		made = append(made, folder)
	}
	for _, f := range files {
		path := filepath.Join(folder, f.Name)
		if err = writeNew(path, f.Value.Reveal()); err != nil {
			break
		}
		made = append(made, path)
	}
	if err == nil {
		return nil
	}
	advice := hint.Of(err)
	for _, path := range slices.Backward(made) {
		err = errors.Join(err, os.Remove(path))
	}
	return hint.Wrap(err, advice)
}

func alreadyThere(path string) error {
	return hint.New(path+" is there already", "choose another folder with --out, or move it away")
}

// writeNew writes a file that only its owner can read, and never replaces one.
func writeNew(path string, text []byte) error {
	err := durable.Create(path, text)
	switch {
	case errors.Is(err, fs.ErrExist):
		return alreadyThere(path)
	case err != nil:
		return called(err, path)
	}
	return nil
}
