package main

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestItSaysThatItIsWell(t *testing.T) {
	answer := httptest.NewRecorder()
	routes().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/healthz", nil))
	if answer.Code != http.StatusOK {
		t.Errorf("GET /healthz: %d", answer.Code)
	}
}
