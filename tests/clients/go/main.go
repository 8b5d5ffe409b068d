// A program that uses GitHub's API as Go programs do, with go-github and githubv4, unmodified, and
// prints what it saw as one JSON document. Its argument is the part to do.
package main

import (
	"context"
	"encoding/json"
	"log"
	"net/url"
	"os"
	"strings"

	"github.com/google/go-github/github"
	"golang.org/x/oauth2"
)

var (
	ctx     = context.Background()
	baseURL = os.Getenv("BASE_URL")
	owner   = os.Getenv("OWNER")
	repo    = os.Getenv("REPO")
	source  = oauth2.StaticTokenSource(&oauth2.Token{AccessToken: os.Getenv("TOKEN")})
	client  = connect(source)
)

// What a part saw, by name.
type seen map[string]any

var parts = map[string]func() seen{
	"read":    read,
	"write":   write,
	"graphql": queries,
	"waiting": waiting,
	"stray":   stray,
}

func main() {
	if err := json.NewEncoder(os.Stdout).Encode(parts[os.Args[1]]()); err != nil {
		log.Fatal(err)
	}
}

// A GitHub Enterprise Server has a function of its own; github.com's API elsewhere is set by hand.
func connect(source oauth2.TokenSource) *github.Client {
	authenticated := oauth2.NewClient(ctx, source)
	if origin := strings.TrimSuffix(baseURL, "/api/v3"); origin != baseURL {
		client, err := github.NewEnterpriseClient(origin, origin, authenticated)
		if err != nil {
			log.Fatal(err)
		}
		return client
	}
	client := github.NewClient(authenticated)
	address, err := url.Parse(baseURL + "/")
	if err != nil {
		log.Fatal(err)
	}
	client.BaseURL, client.UploadURL = address, address
	return client
}

// The value of a call that must succeed.
func must[T any](value T, _ *github.Response, err error) T {
	if err != nil {
		log.Panic(err)
	}
	return value
}

// For calls that return nothing else: their status.
func done(response *github.Response, err error) int {
	if err != nil {
		log.Panic(err)
	}
	return response.StatusCode
}

// Every page of a list, each asked for by the number that the one before it names.
func all[T any](list func(github.ListOptions) ([]T, *github.Response, error)) []T {
	options := github.ListOptions{PerPage: 7}
	var items []T
	for {
		page, response, err := list(options)
		if err != nil {
			log.Panic(err)
		}
		items = append(items, page...)
		if response.NextPage == 0 {
			return items
		}
		options.Page = response.NextPage
	}
}

// Another machine, which no client may ask.
func stray() seen {
	_, _, err := github.NewClient(nil).Users.Get(ctx, "octocat")
	return seen{"error": err != nil}
}
