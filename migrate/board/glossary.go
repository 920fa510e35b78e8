package board

// term is a word of the page and what it means.
type term struct{ Word, Means string }

func glossary() []term {
	return []term{
		{"Account, target", "The target is the cloud that users move to; the account is a user's entry there."},
		{"Administrator", "A user who may change other users or settings of the target. A mistake in such an account costs more, so they are moved only where they are named."},
		{"Authenticator app", "An app on a phone that receives a push, a question that the user approves or denies. An app of the old server cannot be taken along; the user activates one anew, by an invitation."},
		{"Base32, hexadecimal", "Two ways to write a secret with letters and digits."},
		{"Block", "The user is known and may not verify until the date given."},
		{"c2dm, mpns, bps", "Services that carried pushes to old Android, Windows and BlackBerry phones. They have ended."},
		{"Calls and texts", "Telephone calls and text messages (SMS). Where a supplier ends them or none delivers them, users need another method."},
		{"Code from an app, code from a token", "A number of six or eight digits that changes every 30 or 60 seconds (TOTP, in programs “OATH”). The app shows it on a phone, the token on a small device of its own."},
		{"Column", "A part of every row of the export. Username is the name that somebody logged in with at the old server, UserPrincipalName the one in the directory, EmailAddress and CountryCode what they say, Enabled whether the user may log in, DisabledBehavior what happens to those who may not (succeed: the password is enough), OathTokenSecretKey a secret, Mode how the user is asked."},
		{"Cut-over", "The moment from which logins are asked for by the target, no longer by the old server."},
		{"Dial script", "An extension with pauses or special keys in it, which the old server dialled by itself."},
		{"Digest", "A fingerprint of the plan file (SHA-256). Two files with the same digest are the same file; a changed file has another digest."},
		{"Estimate", "How long it takes to make all changes at the pace that the target is known to allow. It is no promise."},
		{"Finding", "Something that cannot move as it was, or that somebody should know before the plan is carried out. Each kind has a fixed code in capitals, so that it can be looked up and counted."},
		{"Accepted finding", "A finding that a named person has seen and lives with. Accepting it changes nothing that the plan does."},
		{"Gate", "A check that stops the work as long as there are errors that nobody has accepted."},
		{"Guest", "A user of another organisation who works in this one."},
		{"Irreversible change", "A change that undo cannot take back: nobody holds the old value, or the target cannot be given it again."},
		{"LDAP, RADIUS", "Two languages in which applications ask for a login. The shim speaks RADIUS."},
		{"Masked", "Telephone numbers keep their country code and the last two digits, email addresses their first letter and what stands behind the @."},
		{"Old server, export", "Microsoft MFA Server, which the organisation leaves, and the files that its users were written to."},
		{"Option", "What begins with -- is an option of the program, for whoever makes the plan. The options in force stand among the rules."},
		{"Outlook", "What awaits a user after the plan. Each user stands in exactly one group."},
		{"Plan", "A file that says for each user what will be changed. It does nothing by itself; apply carries out exactly what it says, and undo takes it back as far as possible."},
		{"PIN, voiceprint, security questions", "Other things that the old server asked for: a number to remember, the sound of a voice, answers that only the user should know."},
		{"Policy", "What the target allows to whom: which methods, and for which users."},
		{"Provider", "A company that delivers texts and calls for the target."},
		{"Seal", "A proof that nobody has altered the plan since it was made. It can be checked only with the plan's key file."},
		{"Secret, seed file, PSKC", "A secret is the number from which a token or an app makes its codes; whoever has it can make them too. A seed file holds the secrets of many tokens; PSKC is one form of such a file. Secrets are never shown."},
		{"Serial number", "The number that tells one token from all others."},
		{"Shim", "A program that takes the old server's place for applications that can speak RADIUS only."},
		{"SID", "Windows security identifier: the number, beginning with S-1-, that Windows knows a user by. In the export it is the column Sid."},
		{"Sign-in name", "The name that the cloud knows a user by, often like an email address (UPN, user principal name)."},
		{"Switchboard, extension", "A telephone system of many telephones behind one number, and the number that is dialled after it."},
		{"Verify, second factor", "To show who one is by something besides the password: a code, a call, a text, an app."},
		{"Wave", "A part of the users that is moved together, before or after others."},
		{"Web Service SDK", "A way to read users from the old server while it runs. It gives no secrets."},
	}
}

// silent is what the page does not say, whatever the plan.
func silent() []string {
	return []string{
		"Whether users have been told, and whether they still hold the telephones and tokens that stand here.",
		"What has changed in the target since the plan was made. Apply looks again before each change, and leaves alone what is no longer as the plan found it.",
		"What applications do: which of them ask for a second factor at all, and how. Only users and their methods are planned here.",
		"What nothing was found about: a user without findings is one whom no rule had anything to say about, which is no promise that the login works.",
	}
}
