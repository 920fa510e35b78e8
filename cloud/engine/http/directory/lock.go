package directory

import (
	"net/http"
	"time"

	"mfabridge/cloud/engine/http/serve"
	"mfabridge/cloud/engine/http/wire"
)

// given answers with a lease.
func (f *Face) given(w http.ResponseWriter, status int, id string) error {
	return serve.Answer(w, status, wire.LockAnswer{ID: id, ExpiresIn: int(f.Lease / time.Second)})
}

// lock gives out a lease.
func (f *Face) lock(w http.ResponseWriter, r *http.Request) error {
	var body wire.LockRequest
	if err := serve.Read(r, &body); err != nil {
		return err
	}
	id, err := f.core(r).Lease(r.Context(), body.Holder, f.Lease)
	if err != nil {
		return err
	}
	return f.given(w, http.StatusCreated, id)
}

func (f *Face) renew(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("id")
	if err := f.core(r).Renew(r.Context(), id, f.Lease); err != nil {
		return err
	}
	return f.given(w, http.StatusOK, id)
}

func (f *Face) unlock(w http.ResponseWriter, r *http.Request) error {
	if err := f.core(r).Return(r.Context(), r.PathValue("id")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
