package main

import (
	"bytes"
	"errors"
	"net/http"
	"strings"

	"github.com/google/go-github/github"
)

// Lists with all their pages, files and diffs in their media types, the Git database, search,
// redirects, conditional requests, refusals.
func read() seen {
	hello := must(client.Repositories.Get(ctx, owner, repo))
	pull := must(client.PullRequests.Get(ctx, owner, repo, 43))
	return seen{
		"user":             must(client.Users.Get(ctx, "")),
		"named user":       must(client.Users.Get(ctx, "hubot")),
		"organization":     must(client.Organizations.Get(ctx, "octo-org")),
		"repository":       hello,
		"repository by id": must(client.Repositories.GetByID(ctx, hello.GetID())),
		"pull":             pull,
		"issue":            must(client.Issues.Get(ctx, owner, repo, 3)),
		"comments":         must(client.Issues.ListComments(ctx, owner, repo, 3, nil)),
		"assignee":         must(client.Issues.IsAssignee(ctx, owner, repo, "octocat")),
		"no assignee":      must(client.Issues.IsAssignee(ctx, owner, repo, "nobody")),
		"merged":           must(client.PullRequests.IsMerged(ctx, owner, repo, 43)),
		"release":          must(client.Repositories.GetLatestRelease(ctx, owner, repo)),
		"topics":           must(client.Repositories.ListAllTopics(ctx, owner, repo)),
		"languages":        must(client.Repositories.ListLanguages(ctx, owner, repo)),
		"zen":              must(client.Zen(ctx)),
		"statistics":       statistics(),
		"lists":            lists(),
		"files":            files(),
		"database":         database(pull.GetHead().GetSHA()),
		"search":           search(),
		"redirects":        redirects(),
		"conditional":      conditional(),
		"refusals":         refusals(),
		"limits":           limits(),
	}
}

// Lists, with all their pages, and what the answer for one page says of the others.
func lists() seen {
	_, page, err := client.Issues.ListByRepo(ctx, "octo-org", "widgets", &github.IssueListByRepoOptions{
		ListOptions: github.ListOptions{Page: 2, PerPage: 50},
	})
	return seen{
		"pages": []any{page.FirstPage, page.PrevPage, page.NextPage, page.LastPage, err},
		"links": links(page.Header.Get("Link")),
		"issues": all(func(page github.ListOptions) ([]*github.Issue, *github.Response, error) {
			options := &github.IssueListByRepoOptions{State: "all", Sort: "updated", ListOptions: page}
			return client.Issues.ListByRepo(ctx, owner, repo, options)
		}),
		"pulls": all(func(page github.ListOptions) ([]*github.PullRequest, *github.Response, error) {
			page.PerPage = 1
			return client.PullRequests.List(ctx, owner, repo, &github.PullRequestListOptions{ListOptions: page})
		}),
		"pull files": all(func(page github.ListOptions) ([]*github.CommitFile, *github.Response, error) {
			return client.PullRequests.ListFiles(ctx, owner, repo, 43, &page)
		}),
		"pull commits": all(func(page github.ListOptions) ([]*github.RepositoryCommit, *github.Response, error) {
			return client.PullRequests.ListCommits(ctx, owner, repo, 43, &page)
		}),
		"commits": all(func(page github.ListOptions) ([]*github.RepositoryCommit, *github.Response, error) {
			page.PerPage = 2
			return client.Repositories.ListCommits(ctx, owner, repo, &github.CommitsListOptions{ListOptions: page})
		}),
		"branches": all(func(page github.ListOptions) ([]*github.Branch, *github.Response, error) {
			page.PerPage = 2
			return client.Repositories.ListBranches(ctx, owner, repo, &github.BranchListOptions{ListOptions: page})
		}),
		"labels": all(func(page github.ListOptions) ([]*github.Label, *github.Response, error) {
			return client.Issues.ListLabels(ctx, owner, repo, &page)
		}),
		"tags": all(func(page github.ListOptions) ([]*github.RepositoryTag, *github.Response, error) {
			return client.Repositories.ListTags(ctx, owner, repo, &page)
		}),
		"releases": all(func(page github.ListOptions) ([]*github.RepositoryRelease, *github.Response, error) {
			return client.Repositories.ListReleases(ctx, owner, repo, &page)
		}),
		"repositories": all(func(page github.ListOptions) ([]*github.Repository, *github.Response, error) {
			page.PerPage = 2
			return client.Repositories.ListByOrg(ctx, "octo-org", &github.RepositoryListByOrgOptions{ListOptions: page})
		}),
	}
}

// Whether each link leads to where the client came from, and what it is.
func links(field string) []any {
	var found []any
	for _, link := range strings.Split(field, ", ") {
		found = append(found, strings.HasPrefix(link, "<"+baseURL+"/"), link[strings.Index(link, ";"):])
	}
	return found
}

func statistics() []*github.ContributorStats {
	for {
		statistics, _, err := client.Repositories.ListContributorsStats(ctx, owner, repo)
		// GitHub computes them when they are first asked for.
		if accepted := new(github.AcceptedError); errors.As(err, &accepted) {
			continue
		}
		return must(statistics, nil, err)
	}
}

// Files and diffs in their media types.
func files() seen {
	readme := must(client.Repositories.GetReadme(ctx, owner, repo, nil))
	text, err := readme.GetContent()
	_, folder, _, folderErr := client.Repositories.GetContents(ctx, owner, repo, "", nil)
	options := &github.RepositoryContentGetOptions{Ref: "feature/x"}
	file, _, _, fileErr := client.Repositories.GetContents(ctx, owner, repo, "docs/guide/first steps.md", options)
	raw := func(path, accept string) string {
		var body bytes.Buffer
		request := ask("GET", "repos/"+owner+"/"+repo+"/"+path, http.Header{"Accept": {accept}})
		done(client.Do(ctx, request, &body))
		return body.String()
	}
	diff, patch := github.RawOptions{Type: github.Diff}, github.RawOptions{Type: github.Patch}
	return seen{
		"readme":           []any{readme, text, err},
		"folder":           []any{folder, folderErr},
		"file":             []any{file, fileErr},
		"raw":              raw("contents/src/main.rs", "application/vnd.github.v3.raw"),
		"html":             raw("readme", "application/vnd.github.v3.html"),
		"pull as diff":     must(client.PullRequests.GetRaw(ctx, owner, repo, 43, diff)),
		"pull as patch":    must(client.PullRequests.GetRaw(ctx, owner, repo, 43, patch)),
		"commit as diff":   must(client.Repositories.GetCommitRaw(ctx, owner, repo, "main", diff)),
		"commit as sha":    must(client.Repositories.GetCommitSHA1(ctx, owner, repo, "main", "")),
		"commit":           must(client.Repositories.GetCommit(ctx, owner, repo, "main", nil)),
		"comparison":       must(client.Repositories.CompareCommits(ctx, owner, repo, "main", "feature/x", nil)),
		"comparison as it": must(client.Repositories.CompareCommitsRaw(ctx, owner, repo, "main", "feature/x", diff)),
	}
}

// The Git database, from a commit to a file.
func database(head string) seen {
	commit := must(client.Git.GetCommit(ctx, owner, repo, head))
	tree := must(client.Git.GetTree(ctx, owner, repo, commit.GetTree().GetSHA(), true))
	blob := ""
	for _, entry := range tree.Entries {
		if entry.GetPath() == "src/main.rs" {
			blob = entry.GetSHA()
		}
	}
	return seen{
		"commit": commit,
		"tree":   tree,
		"blob":   must(client.Git.GetBlob(ctx, owner, repo, blob)),
		"raw":    string(must(client.Git.GetBlobRaw(ctx, owner, repo, blob))),
		"ref":    must(client.Git.GetRef(ctx, owner, repo, "heads/feature/x")),
		"refs":   must(client.Git.ListMatchingRefs(ctx, owner, repo, &github.ReferenceListOptions{Ref: "heads/topic"})),
	}
}

// go-github sends an Accept without a value where it wants nothing special.
func search() seen {
	matches := &github.SearchOptions{TextMatch: true, ListOptions: github.ListOptions{PerPage: 10}}
	return seen{
		"issues":       must(client.Search.Issues(ctx, "repo:octocat/hello-world is:open", matches)),
		"code":         must(client.Search.Code(ctx, "repo:octocat/hello-world println", nil)),
		"repositories": must(client.Search.Repositories(ctx, "widgets", nil)),
		"commits":      must(client.Search.Commits(ctx, "repo:octocat/hello-world Update", nil)),
	}
}

// What was renamed is followed to; an archive is elsewhere, and its address is told.
func redirects() seen {
	renamed, response, err := client.Repositories.Get(ctx, "octocat", "old-name")
	archive, _, archiveErr := client.Repositories.GetArchiveLink(
		ctx, owner, repo, github.Zipball, &github.RepositoryContentGetOptions{Ref: "main"}, false)
	return seen{
		"renamed": []any{renamed, response.Request.URL.String(), err},
		"branch":  must(client.Repositories.GetBranch(ctx, owner, repo, "feature/x", true)),
		"issues":  len(must(client.Issues.ListByRepo(ctx, "octocat", "old-name", nil))),
		"archive": []any{archive.String(), archiveErr},
	}
}

// The statuses with the tag and the date of the answer before, and with others.
func conditional() seen {
	path := "repos/" + owner + "/" + repo + "/issues/1"
	first, err := client.Do(ctx, ask("GET", path, nil), nil)
	again := func(name, value string) int {
		return status(client.Do(ctx, ask("GET", path, http.Header{name: {value}}), nil))
	}
	return seen{
		"first": []any{first.StatusCode, err},
		"tag":   again("If-None-Match", first.Header.Get("Etag")),
		"other": again("If-None-Match", `"nothing"`),
		"date":  again("If-Modified-Since", first.Header.Get("Last-Modified")),
		"old":   again("If-Modified-Since", "Mon, 01 Jan 2018 00:00:00 GMT"),
		"head":  status(client.Do(ctx, ask("HEAD", path, nil), nil)),
	}
}

func refusals() seen {
	_, _, nothing := client.Repositories.Get(ctx, owner, "none")
	_, _, blocked := client.Repositories.Get(ctx, "octo-org", "blocked")
	_, _, noIssues := client.Issues.ListByRepo(ctx, "octo-org", "no-issues", nil)
	_, _, _, noFile := client.Repositories.GetContents(ctx, owner, repo, "none.txt", nil)
	return seen{
		"no such repository": refused(nothing),
		"blocked":            refused(blocked),
		"no issues":          refused(noIssues),
		"no such file":       refused(noFile),
	}
}

func limits() seen {
	limits, response, err := client.RateLimits(ctx)
	core := limits.GetCore()
	return seen{
		"error":  err,
		"core":   core.Limit >= core.Remaining && core.Remaining > 0 && core.Reset.Unix() > 1_700_000_000,
		"search": limits.GetSearch().Limit > 0,
		"answer": response.Rate.Limit > 0 && response.Rate.Remaining <= response.Rate.Limit,
	}
}
