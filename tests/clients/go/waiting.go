package main

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-github/github"
)

// Works on when limits are used up, a server fails, and a secondary limit is hit, as programs with
// go-github do: they wait for as long as its errors say.
func waiting() seen {
	var titles, kinds []string
	for number := 1; number <= 5; number++ {
		titles = append(titles, patient(&kinds, func() (string, error) {
			issue, _, err := client.Issues.Get(ctx, owner, repo, number)
			return issue.GetTitle(), err
		}))
	}
	text := func(path string) func() (string, error) {
		return func() (string, error) {
			var body bytes.Buffer
			_, err := client.Do(ctx, ask("GET", path, nil), &body)
			return body.String(), err
		}
	}
	flaky := patient(&kinds, text("flaky"))
	banned := patient(&kinds, text("banned"))
	return seen{"titles": titles, "flaky": flaky, "banned": banned, "errors": kinds}
}

// Does it until it succeeds; `kinds` gets what each error was.
func patient(kinds *[]string, attempt func() (string, error)) string {
	for {
		result, err := attempt()
		var wait time.Duration
		switch err := err.(type) {
		case nil:
			return result
		case *github.RateLimitError:
			*kinds = append(*kinds, "RateLimitError")
			wait = time.Until(err.Rate.Reset.Time)
		case *github.AbuseRateLimitError:
			*kinds = append(*kinds, "AbuseRateLimitError after "+err.RetryAfter.String())
			wait = *err.RetryAfter
		case *github.ErrorResponse:
			*kinds = append(*kinds, "ErrorResponse "+strconv.Itoa(err.Response.StatusCode))
			wait = told(err.Response)
		default:
			panic(err)
		}
		// A little more, since clocks are read in seconds.
		time.Sleep(wait + 100*time.Millisecond)
	}
}

// How long `Retry-After` says to wait.
func told(response *http.Response) time.Duration {
	seconds, _ := strconv.Atoi(strings.TrimSpace(response.Header.Get("Retry-After")))
	return time.Duration(seconds) * time.Second
}
