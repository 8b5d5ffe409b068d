package main

import (
	"log"
	"net/http"

	"github.com/google/go-github/github"
)

// What go-github makes of a refusal that is expected: the kind of its error, and what it says.
func refused(err error) any {
	switch err := err.(type) {
	case *github.ErrorResponse:
		return []any{"ErrorResponse", err.Response.StatusCode, err.Message, err.Errors, err.Block, err.DocumentationURL}
	case *github.RateLimitError:
		return []any{"RateLimitError", err.Response.StatusCode, err.Rate.Remaining}
	case *github.AbuseRateLimitError:
		return []any{"AbuseRateLimitError", err.Response.StatusCode, err.Message, err.RetryAfter.String()}
	case *github.AcceptedError:
		return []any{"AcceptedError"}
	}
	log.Panicf("no refusal: %v", err)
	return nil
}

// The status of an answer that go-github takes for an error if it is a 304.
func status(response *github.Response, err error) int {
	if err != nil && response == nil {
		log.Panic(err)
	}
	return response.StatusCode
}

// A request of one's own, for what go-github has no function for.
func ask(method, path string, fields http.Header) *http.Request {
	request, err := client.NewRequest(method, path, nil)
	if err != nil {
		log.Panic(err)
	}
	for name, values := range fields {
		request.Header[name] = values
	}
	return request
}
