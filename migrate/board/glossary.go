package board

// term is a word of the page and what it means.
type term struct{ Word, Means string }

func glossary() []term {
	return []term{
		{"Account, target", "The target is the cloud that users move to; the account is a user's entry there."},
		{"Authenticator app", "An app on a phone that receives a push, a question that the user approves or denies. An app of the old server cannot be taken along; the user activates one anew, by an invitation."},
		{"Block", "The user is known and may not verify until the date given."},
		{"Calls and texts", "Telephone calls and text messages (SMS). Where a supplier ends them or none delivers them, users need another method."},
		{"Code from an app, code from a token", "A number of six or eight digits that changes every 30 or 60 seconds (TOTP, in programs “OATH”). The app shows it on a phone, the token on a small device of its own."},
		{"Cut-over", "The moment from which logins are asked for by the target, no longer by the old server."},
		{"Digest", "A fingerprint of the plan file (SHA-256). Two files with the same digest are the same file; a changed file has another digest."},
		{"Estimate", "How long it takes to make all changes at the pace that the target is known to allow. It is no promise."},
		{"Finding", "Something that cannot move as it was, or that somebody should know before the plan is carried out. Each kind has a fixed code in capitals, so that it can be looked up and counted."},
		{"Accepted finding", "A finding that a named person has seen and lives with. Accepting it changes nothing that the plan does."},
		{"Gate", "A check that stops the work as long as there are errors that nobody has accepted."},
		{"Irreversible change", "A change whose old value nobody holds, so that undo cannot put it back."},
		{"Masked", "Telephone numbers keep their country code and the last two digits, email addresses their first letter and what stands behind the @."},
		{"Old server, export", "Microsoft MFA Server, which the organisation leaves, and the files that its users were written to."},
		{"Outlook", "What awaits a user after the plan. Each user stands in exactly one group."},
		{"Plan", "A file that says for each user what will be changed. It does nothing by itself; apply carries out exactly what it says, and undo takes it back as far as possible."},
		{"Seal", "A proof that nobody has altered the plan since it was made. It can be checked only with the plan's key file."},
		{"Sign-in name", "The name that the cloud knows a user by, often like an email address (UPN, user principal name)."},
		{"Verify, second factor", "To show who one is by something besides the password: a code, a call, a text, an app."},
		{"Wave", "A part of the users that is moved together, before or after others."},
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
