package engine

import "mfabridge/cloud"

// mailer delivers mail; nil: nobody does.
func (e *Engine) mailer() Sender { return e.senders[cloud.EmailCode] }

// confirmedMail is the address at which the user has proven to read mail, or "".
func (e *Engine) confirmedMail(u *User) string { return e.reached(u, cloud.EmailCode) }

// confirm records that the user has proven to read mail at the address.
func (e *Engine) confirm(u *User) { u.Proof = e.emailProof(u.ID, u.Email) }
