// Package pskc reads token files in the Portable Symmetric Key Container format
// (PSKC, RFC 6030): what vendors of OATH tokens deliver seeds in.
//
//	for key, err := range pskc.Read(file, pskc.Options{Passphrase: phrase}) {
//		…
//	}
//
// [Read] reads a file whole before it yields the first [Key]: of a file that is
// cut off, was changed, or does not open with the key that is given, nothing is
// yielded. Values stand in the clear, or encrypted with AES or Triple DES in
// CBC mode or with AES key wrap, under a key that was agreed upon or comes out
// of a pass phrase by PBKDF2. An encryption that does not protect itself needs
// a MAC, which is verified over the initialisation vector and the ciphertext
// before anything is made of them (RFC 6030 §6.1.1). A wrong key, a wrong pass
// phrase and a changed file have one error, [ErrKey].
//
// A key that the file describes but nobody can use as it says (another
// algorithm, a use or a limit that we do not know or do not enforce, an unknown
// hash) is yielded with [Key.Problem] and without its secret. HOTP keys are
// read; it is for the caller to say that they are of no use to it.
//
// Beside the RFC the plain files of the drafts before it are read, because old
// servers took them: the names and the namespaces are in docs/formats/pskc.md.
// Files encrypted as those drafts had it are refused by name: their MAC is over
// what comes out of the decryption.
//
// XML signatures are not verified: [Key.Signed] says that there is one. Files
// encrypted to a certificate are refused. A DOCTYPE is refused, and everything
// has a limit that is a constant of this package.
package pskc
