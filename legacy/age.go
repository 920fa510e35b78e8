package legacy

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"

	"filippo.io/age"

	"mfabridge/internal/hint"
)

// maxScrypt is the largest work factor of a passphrase that is tried: 2^20
// blocks of 1 KiB, which is 1 GiB for a moment. The age program writes 18.
const maxScrypt = 20

// openAge opens a zip that is encrypted by age. Nothing is unpacked or
// decrypted to the disk: blocks of 64 KiB are decrypted as they are read, each
// authenticated with its place, and one is kept in memory.
func openAge(path string, size int64, o Options) (shelf, error) {
	if !strings.HasSuffix(strings.ToLower(path), ".zip.age") {
		return nil, hint.New(path+" is a file of a kind that is not read", "of encrypted files only a .zip.age is read; pack the export as a zip and encrypt that")
	}
	identities := o.Identities
	if !o.Passphrase.IsZero() {
		scrypt, err := age.NewScryptIdentity(string(o.Passphrase.Reveal()))
		if err != nil {
			return nil, err
		}
		scrypt.SetMaxWorkFactor(maxScrypt)
		identities = append(identities[:len(identities):len(identities)], scrypt)
	}
	if len(identities) == 0 {
		return nil, hint.New(path+" is encrypted, and no key to it is given", "give the age identity that it was encrypted for with --identity, or its passphrase with --passphrase")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, hint.Wrap(fmt.Errorf("the export cannot be opened: %w", err), "give an export that you may read")
	}
	s, err := decrypted(f, size, identities)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return s, nil
}

func decrypted(f *os.File, size int64, identities []age.Identity) (shelf, error) {
	if begins(f, []byte("-----BEGIN AGE")) {
		return nil, hint.New("the export is encrypted as text (age --armor), which is not read", "encrypt it again without --armor")
	}
	// The library quotes what stands there instead, which may be a row of users.
	if intro := []byte("age-encryption.org/"); !begins(f, intro) {
		return nil, hint.New("the export is not encrypted by age, or not a whole file", "copy the file again; a zip that is not encrypted has the ending .zip")
	}
	plain, plainSize, err := age.DecryptReaderAt(f, size, identities...)
	if _, no := errors.AsType[*age.NoIdentityMatchError](err); no {
		return nil, hint.New("none of the keys given opens the export", "give the age identity that it was encrypted for with --identity, or its passphrase, exactly as it was, with --passphrase")
	}
	if err != nil {
		return nil, hint.Wrap(fmt.Errorf("the export cannot be decrypted: %w", err), "copy the file again, and check that it was made by age")
	}
	return openZip(plain, plainSize, f)
}

func begins(f *os.File, with []byte) bool {
	head := make([]byte, len(with))
	_, err := f.ReadAt(head, 0)
	return err == nil && bytes.Equal(head, with)
}
