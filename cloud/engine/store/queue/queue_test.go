package queue_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/store/queue"
)

// writer serves one update a time until the queue is closed.
func writer(q *queue.Queue, served *int) {
	defer q.Ended()
	serve := func(j *queue.Job) {
		if !j.Left() {
			j.Err = j.Run(nil)
			*served++
		}
		j.Answer()
	}
	for {
		select {
		case j := <-q.Waiting():
			serve(j)
		case <-q.Closing():
			q.Rest(serve)
			return
		}
	}
}

func TestEachCallerGetsItsAnswer(t *testing.T) {
	q := queue.New(4)
	served := 0
	go writer(q, &served)
	no := errors.New("no")
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			err := q.Update(t.Context(), func(engine.Tx) error {
				switch i % 3 {
				case 0:
					return no
				case 1:
					panic("secret")
				}
				return nil
			})
			switch i % 3 {
			case 0:
				if !errors.Is(err, no) {
					t.Errorf("%d: %v", i, err)
				}
			case 1:
				if cloud.KindOf(err) != cloud.Internal || err.Error() != "an update failed by a fault in the program" {
					t.Errorf("%d: %v", i, err)
				}
			default:
				if err != nil {
					t.Errorf("%d: %v", i, err)
				}
			}
		})
	}
	wg.Wait()
	q.Close()
	q.Close()
	if served != 200 {
		t.Errorf("%d updates were served", served)
	}
	if err := q.Update(t.Context(), func(engine.Tx) error { t.Error("served after the end"); return nil }); cloud.KindOf(err) != cloud.Unavailable {
		t.Errorf("after the end: %v", err)
	}
}

func TestWhoHasLeftIsNotServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := queue.New(1)
		fn := func(engine.Tx) error { t.Error("served"); return nil }
		inside, leave := context.WithCancel(t.Context())
		outside, leaveToo := context.WithCancel(t.Context())
		errs := make(chan error, 2)
		go func() { errs <- q.Update(inside, fn) }()
		synctest.Wait()
		go func() { errs <- q.Update(outside, fn) }() // finds no room
		synctest.Wait()
		if q.Stats().Queue != 1 {
			t.Errorf("%d wait", q.Stats().Queue)
		}
		leaveToo()
		if err := <-errs; cloud.KindOf(err) != cloud.Unavailable || !errors.Is(err, context.Canceled) {
			t.Errorf("who found no room: %v", err)
		}
		leave()
		j := <-q.Waiting()
		if !j.Left() {
			t.Error("the caller has not left")
		}
		j.Answer()
		if err := <-errs; cloud.KindOf(err) != cloud.Unavailable {
			t.Errorf("who had left: %v", err)
		}
		if q.Next() != nil {
			t.Error("somebody waits still")
		}
	})
}

// Whoever got in before the end is served; whoever the writer never saw is told
// so, and waits for nobody.
func TestTheEndAnswersAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := queue.New(8)
		errs := make(chan error, 3)
		for range 3 {
			go func() { errs <- q.Update(t.Context(), func(engine.Tx) error { return nil }) }()
		}
		synctest.Wait()
		served := 0
		go writer(q, &served)
		q.Close()
		for range 3 {
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
		lost := queue.New(8)
		go func() { errs <- lost.Update(t.Context(), func(engine.Tx) error { return nil }) }()
		synctest.Wait()
		lost.Ended() // a writer that ended by a fault of its own
		if err := <-errs; cloud.KindOf(err) != cloud.Unavailable {
			t.Errorf("nobody served it: %v", err)
		}
	})
}

// Several updates of one caller are answered one by one; those that find no
// room before the caller leaves are told so, the others are waited for.
func TestSeveralOfOneCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := queue.New(2)
		ran := 0
		fn := func(engine.Tx) error { ran++; return nil }
		no := errors.New("no")
		ctx, leave := context.WithCancel(t.Context())
		answers := make(chan []error, 1)
		go func() {
			answers <- q.UpdateEach(ctx, []func(engine.Tx) error{fn, func(engine.Tx) error { return no }, fn, fn})
		}()
		synctest.Wait()
		first := <-q.Waiting() // the third gets in
		synctest.Wait()
		leave()
		synctest.Wait()
		first.Err = first.Run(nil)
		first.Answer()
		for j := q.Next(); j != nil; j = q.Next() {
			j.Err = j.Run(nil)
			j.Answer()
		}
		errs := <-answers
		if ran != 2 || errs[0] != nil || !errors.Is(errs[1], no) || errs[2] != nil || cloud.KindOf(errs[3]) != cloud.Unavailable {
			t.Errorf("%d ran: %v", ran, errs)
		}
		go func() { answers <- q.UpdateEach(t.Context(), []func(engine.Tx) error{fn, fn}) }()
		synctest.Wait()
		q.Next().Answer()
		q.Ended() // a writer that ended by a fault of its own
		if errs := <-answers; errs[0] != nil || cloud.KindOf(errs[1]) != cloud.Unavailable {
			t.Errorf("after the end of the writer: %v", errs)
		}
	})
}
