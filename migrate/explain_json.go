package migrate

import (
	"encoding/json"
	"time"

	"mfabridge/cloud"
)

type explainedForm struct {
	Type        string       `json:"type"`
	Username    string       `json:"username"`
	UPN         string       `json:"upn"`
	TargetID    string       `json:"target_id"`
	MatchedBy   string       `json:"matched_by"`
	Wave        string       `json:"wave"`
	Action      Action       `json:"action"`
	Outlook     Outlook      `json:"outlook"`
	Changes     []whereForm  `json:"changes"`
	Findings    []placedForm `json:"findings"`
	Facts       []factForm   `json:"facts"`
	Runs        []runForm    `json:"runs"` // what apply and undo have done
	Now         *nowForm     `json:"now"`  // null: there is no such user, or the target could not be asked
	TargetError string       `json:"target_error,omitempty"`
}

// whereForm is a planned change and where the target stands about it.
type whereForm struct {
	Op           cloud.Op        `json:"op"`
	Method       cloud.Method    `json:"method"`
	ID           string          `json:"id"`
	Before       json.RawMessage `json:"before"`
	After        json.RawMessage `json:"after"`
	Reason       string          `json:"reason"`
	Irreversible bool            `json:"irreversible,omitempty"`
	Now          standing        `json:"now,omitempty"`
	Found        json.RawMessage `json:"found,omitempty"` // with "other"
}

type factForm struct {
	Name  string  `json:"name"`
	Value string  `json:"value"`
	Now   *string `json:"now,omitempty"` // what the target has, where that is another value
}

type runForm struct {
	Run     int           `json:"run"`
	Phase   Phase         `json:"phase"`
	Started time.Time     `json:"started"`
	Open    bool          `json:"open,omitempty"` // it was about to write and never said what came of it
	Changes []settledForm `json:"changes"`
}

type settledForm struct {
	Method cloud.Method  `json:"method"`
	Op     cloud.Op      `json:"op"` // of the plan, for undo too
	Result cloud.Outcome `json:"result"`
	Error  *string       `json:"error"`
}

type nowForm struct {
	ID      cloud.UserID `json:"id"`
	Enabled bool         `json:"enabled"`
	Methods []methodForm `json:"methods"`
	Aliases []string     `json:"aliases"`
}

type methodForm struct {
	Method   cloud.Method    `json:"method"`
	Value    json.RawMessage `json:"value"`
	Inactive bool            `json:"inactive,omitempty"` // a generator that somebody has yet to activate
}

// Explained writes an explanation as one object.
func (r *Report) Explained(e *Explanation) error {
	d := &e.Decision
	form := explainedForm{Type: "user", Username: d.Username, UPN: d.UPN, TargetID: string(d.Target), MatchedBy: d.MatchedBy,
		Wave: d.Wave, Action: d.Action, Outlook: d.Outlook, Changes: []whereForm{}, Findings: []placedForm{}, Facts: []factForm{}, Runs: []runForm{}}
	for i := range d.Changes {
		c, err := r.where(e, &d.Changes[i])
		if err != nil {
			return err
		}
		form.Changes = append(form.Changes, c)
	}
	for _, f := range d.Findings {
		form.Findings = append(form.Findings, placedForm{findingForm{f.Code, f.Severity, f.Field, f.Detail, f.Action}, f.Place, nil})
	}
	for i, f := range d.Facts {
		now, changed := e.factNow(i)
		if !r.reveal {
			f, now = MaskFact(f), MaskFact(now)
		}
		fact := factForm{Name: f.Name, Value: f.Value}
		if changed {
			fact.Now = &now.Value
		}
		form.Facts = append(form.Facts, fact)
	}
	for _, run := range e.History {
		form.Runs = append(form.Runs, runFormOf(d, run))
	}
	if e.NowErr != nil {
		form.TargetError = e.NowErr.Error() // as the text has it
	}
	var err error
	if form.Now, err = r.now(e); err != nil {
		return err
	}
	return r.line(form)
}

func (r *Report) where(e *Explanation, c *PlannedChange) (whereForm, error) {
	form := whereForm{Op: c.Op, Method: c.Method, ID: c.ID, Reason: c.Reason, Irreversible: c.Irreversible}
	var err error
	if form.Before, form.After, err = r.values(c.Method, c.Before, c.After); err != nil {
		return form, err
	}
	var now cloud.Value
	if form.Now, now = e.standing(c, r.reveal); form.Now == standsElse {
		form.Found, err = r.value(c.Method, now)
	}
	return form, err
}

func runFormOf(d *Decision, run JournalRun) runForm {
	form := runForm{Run: run.Run, Phase: run.Phase, Started: run.Started.UTC(), Open: run.Open, Changes: []settledForm{}}
	for _, result := range run.Results {
		if result.Seq < 0 || result.Seq >= len(d.Changes) {
			continue
		}
		c := &d.Changes[result.Seq]
		s := settledForm{Method: c.Method, Op: c.Op, Result: result.Outcome}
		if result.Message != "" {
			s.Error = &result.Message
		}
		form.Changes = append(form.Changes, s)
	}
	return form
}

func (r *Report) now(e *Explanation) (*nowForm, error) {
	if e.Now == nil || e.NowErr != nil {
		return nil, nil
	}
	form := &nowForm{ID: e.Now.ID, Enabled: e.Now.Enabled, Methods: []methodForm{}, Aliases: append([]string{}, e.Now.Aliases...)}
	for _, h := range holdings(e.Now) {
		value, err := r.value(h.method, h.value)
		if err != nil {
			return nil, err
		}
		form.Methods = append(form.Methods, methodForm{h.method, value, h.inactive})
	}
	return form, nil
}
