package main

import (
	"log"
	"os"

	"github.com/shurcooL/githubv4"
	"golang.org/x/oauth2"
)

// Queries and mutations with githubv4, which makes them of Go's types.
func queries() seen {
	client := githubv4.NewEnterpriseClient(os.Getenv("GRAPHQL_URL"), oauth2.NewClient(ctx, source))
	var viewer struct {
		Viewer struct {
			Login      githubv4.String
			DatabaseID githubv4.Int `graphql:"databaseId"`
		}
	}
	succeed(client.Query(ctx, &viewer, nil))
	var nobody struct {
		Repository struct{ ID githubv4.ID } `graphql:"repository(owner: \"octocat\", name: \"none\")"`
	}
	var wrong struct {
		Viewer struct{ ShoeSize githubv4.Int }
	}
	return seen{
		"viewer":             viewer,
		"pages":              cursors(client),
		"mutations":          mutations(client),
		"no such repository": failed(client.Query(ctx, &nobody, nil)),
		"no such field":      failed(client.Query(ctx, &wrong, nil)),
	}
}

func succeed(err error) {
	if err != nil {
		log.Panic(err)
	}
}

func failed(err error) string {
	if err == nil {
		return "not refused"
	}
	return err.Error()
}

func names() map[string]any {
	return map[string]any{"owner": githubv4.String(owner), "name": githubv4.String(repo)}
}

// Every issue, twenty at a time.
func cursors(client *githubv4.Client) []any {
	var query struct {
		Repository struct {
			Issues struct {
				TotalCount githubv4.Int
				Nodes      []struct {
					Number githubv4.Int
					Title  githubv4.String
					State  githubv4.IssueState
					URL    githubv4.URI
					Author struct{ Login githubv4.String }
					Labels struct {
						Nodes []struct{ Name githubv4.String }
					} `graphql:"labels(first: 2)"`
				}
				PageInfo struct {
					HasNextPage githubv4.Boolean
					EndCursor   githubv4.String
				}
			} `graphql:"issues(first: 20, after: $cursor)"`
		} `graphql:"repository(owner: $owner, name: $name)"`
	}
	variables := names()
	variables["cursor"] = (*githubv4.String)(nil)
	var pages []any
	for {
		succeed(client.Query(ctx, &query, variables))
		issues := query.Repository.Issues
		pages = append(pages, []any{issues.TotalCount, issues.Nodes})
		if !issues.PageInfo.HasNextPage {
			return pages
		}
		variables["cursor"] = githubv4.NewString(issues.PageInfo.EndCursor)
		query.Repository.Issues.Nodes = nil
	}
}

// An issue with a comment, closed again, and what is there then.
func mutations(client *githubv4.Client) seen {
	var there struct {
		Repository struct{ ID githubv4.ID } `graphql:"repository(owner: $owner, name: $name)"`
	}
	succeed(client.Query(ctx, &there, names()))
	var created struct {
		CreateIssue struct {
			Issue struct {
				ID     githubv4.ID
				Number githubv4.Int
				Title  githubv4.String
			}
		} `graphql:"createIssue(input: $input)"`
	}
	input := githubv4.CreateIssueInput{
		RepositoryID: there.Repository.ID, Title: "By githubv4", Body: githubv4.NewString("✓"),
	}
	succeed(client.Mutate(ctx, &created, input, nil))
	issue := created.CreateIssue.Issue
	var comment struct {
		AddComment struct {
			Subject struct{ ID githubv4.ID }
		} `graphql:"addComment(input: $input)"`
	}
	succeed(client.Mutate(ctx, &comment, githubv4.AddCommentInput{SubjectID: issue.ID, Body: "A comment"}, nil))
	var closed struct {
		CloseIssue struct {
			Issue struct{ State githubv4.IssueState }
		} `graphql:"closeIssue(input: $input)"`
	}
	succeed(client.Mutate(ctx, &closed, githubv4.CloseIssueInput{IssueID: issue.ID}, nil))
	var now struct {
		Repository struct {
			Issue struct {
				Title    githubv4.String
				State    githubv4.IssueState
				Comments struct {
					Nodes []struct {
						Body   githubv4.String
						Author struct{ Login githubv4.String }
					}
				} `graphql:"comments(first: 5)"`
			} `graphql:"issue(number: $number)"`
		} `graphql:"repository(owner: $owner, name: $name)"`
	}
	variables := names()
	variables["number"] = issue.Number
	succeed(client.Query(ctx, &now, variables))
	return seen{"created": created, "comment": comment, "closed": closed, "now": now}
}
