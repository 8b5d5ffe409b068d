package main

import (
	"bytes"
	"io"
	"log"
	"net/http"
	"os"

	"github.com/google/go-github/github"
)

// Changes a repository, and sees each change at once.
func write() seen {
	return seen{
		"issues":   issues(),
		"contents": contents(),
		"pull":     pullByHand(),
		"release":  release(),
		"edited":   edited(),
	}
}

func openIssues() []int {
	var numbers []int
	for _, issue := range all(func(page github.ListOptions) ([]*github.Issue, *github.Response, error) {
		page.PerPage = 20
		return client.Issues.ListByRepo(ctx, owner, repo, &github.IssueListByRepoOptions{ListOptions: page})
	}) {
		numbers = append(numbers, issue.GetNumber())
	}
	return numbers
}

func issues() seen {
	before := openIssues()
	label := must(client.Issues.CreateLabel(ctx, owner, repo, &github.Label{
		Name: github.String("needs care"), Color: github.String("ff8800"),
	}))
	created, response, err := client.Issues.Create(ctx, owner, repo, &github.IssueRequest{
		Title: github.String("Something is wrong"), Body: github.String("It is <✓> 😀."),
		Labels: &[]string{"bug", "needs care"}, Assignees: &[]string{"octocat"},
	})
	must(created, response, err)
	number := created.GetNumber()
	first := must(client.Issues.CreateComment(ctx, owner, repo, number, &github.IssueComment{Body: github.String("First")}))
	edit := &github.IssueComment{Body: github.String("First, edited")}
	edited := must(client.Issues.EditComment(ctx, owner, repo, first.GetID(), edit))
	must(client.Issues.CreateComment(ctx, owner, repo, number, &github.IssueComment{Body: github.String("Second")}))
	comments := must(client.Issues.ListComments(ctx, owner, repo, number, nil))
	deleted := done(client.Issues.DeleteComment(ctx, owner, repo, first.GetID()))
	labels := must(client.Issues.AddLabelsToIssue(ctx, owner, repo, number, []string{"enhancement"}))
	removed := done(client.Issues.RemoveLabelForIssue(ctx, owner, repo, number, "bug"))
	locked := done(client.Issues.Lock(ctx, owner, repo, number, &github.LockIssueOptions{LockReason: "resolved"}))
	closed := must(client.Issues.Edit(ctx, owner, repo, number, &github.IssueRequest{
		State: github.String("closed"), StateReason: github.String("completed"), Title: github.String("It is not"),
	}))
	_, _, untitled := client.Issues.Create(ctx, owner, repo, &github.IssueRequest{Body: github.String("no title")})
	return seen{
		"label":         label,
		"created":       []any{response.StatusCode, response.Header.Get("Location"), created},
		"edited":        edited,
		"comments":      comments,
		"left":          must(client.Issues.ListComments(ctx, owner, repo, number, nil)),
		"statuses":      []int{deleted, removed, locked},
		"labels":        []any{labels, must(client.Issues.ListLabelsByIssue(ctx, owner, repo, number, nil))},
		"closed":        closed,
		"now":           must(client.Issues.Get(ctx, owner, repo, number)),
		"open":          []int{len(before), len(openIssues())},
		"label deleted": done(client.Issues.DeleteLabel(ctx, owner, repo, "needs care")),
		"untitled":      refused(untitled),
	}
}

func contents() seen {
	const path = "notes/new.txt"
	made := must(client.Repositories.CreateFile(ctx, owner, repo, path, &github.RepositoryContentFileOptions{
		Message: github.String("Add a note"), Content: []byte("first\n"), Branch: github.String("main"),
	}))
	_, _, again := client.Repositories.CreateFile(ctx, owner, repo, path, &github.RepositoryContentFileOptions{
		Message: github.String("Add it again"), Content: []byte("again\n"),
	})
	changed := must(client.Repositories.UpdateFile(ctx, owner, repo, path, &github.RepositoryContentFileOptions{
		Message: github.String("Change it"), Content: []byte("second\n"), SHA: made.Content.SHA,
	}))
	file, _, _, err := client.Repositories.GetContents(ctx, owner, repo, path, nil)
	if err != nil {
		log.Panic(err)
	}
	text, err := file.GetContent()
	deleted := must(client.Repositories.DeleteFile(ctx, owner, repo, path, &github.RepositoryContentFileOptions{
		Message: github.String("Remove it"), SHA: changed.Content.SHA,
	}))
	_, _, _, gone := client.Repositories.GetContents(ctx, owner, repo, path, nil)
	return seen{
		"made":    made,
		"again":   refused(again),
		"text":    []any{text, err},
		"deleted": deleted.Commit.GetMessage(),
		"gone":    refused(gone),
	}
}

// A commit made of its parts, on a branch of its own, and a pull request for it.
func pullByHand() seen {
	main := must(client.Git.GetRef(ctx, owner, repo, "heads/main"))
	parent := must(client.Git.GetCommit(ctx, owner, repo, main.Object.GetSHA()))
	entries := []*github.TreeEntry{{
		Path: github.String("by-hand.txt"), Mode: github.String("100644"), Type: github.String("blob"),
		Content: github.String("by hand\n"),
	}}
	tree := must(client.Git.CreateTree(ctx, owner, repo, parent.Tree.GetSHA(), entries))
	commit := must(client.Git.CreateCommit(ctx, owner, repo, &github.Commit{
		Message: github.String("By hand"), Tree: tree, Parents: []*github.Commit{parent},
	}))
	branch := must(client.Git.CreateRef(ctx, owner, repo, &github.Reference{
		Ref: github.String("refs/heads/by-hand"), Object: &github.GitObject{SHA: commit.SHA},
	}))
	opened := must(client.PullRequests.Create(ctx, owner, repo, &github.NewPullRequest{
		Title: github.String("By hand"), Head: github.String("by-hand"), Base: github.String("main"),
	}))
	number := opened.GetNumber()
	before := must(client.PullRequests.IsMerged(ctx, owner, repo, number))
	merge := must(client.PullRequests.Merge(ctx, owner, repo, number, "Merged", nil))
	return seen{
		"commit":  commit,
		"branch":  branch,
		"opened":  opened,
		"merge":   merge,
		"merged":  []bool{before, must(client.PullRequests.IsMerged(ctx, owner, repo, number))},
		"now":     must(client.PullRequests.Get(ctx, owner, repo, number)),
		"deleted": done(client.Git.DeleteRef(ctx, owner, repo, "heads/by-hand")),
	}
}

// A release with a file, up and down again.
func release() seen {
	made := must(client.Repositories.CreateRelease(ctx, owner, repo, &github.RepositoryRelease{
		TagName: github.String("v2.0.0"), Name: github.String("Two"), Body: github.String("Second."),
	}))
	content := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	asset := upload(made.GetID(), content)
	download, redirect, err := client.Repositories.DownloadReleaseAsset(ctx, owner, repo, asset.GetID(), http.DefaultClient)
	if err != nil {
		log.Panic(err)
	}
	defer download.Close()
	downloaded, err := io.ReadAll(download)
	edited := must(client.Repositories.EditRelease(ctx, owner, repo, made.GetID(), &github.RepositoryRelease{
		Name: github.String("Two and a bit"), Prerelease: github.Bool(true),
	}))
	listed := must(client.Repositories.ListReleaseAssets(ctx, owner, repo, made.GetID(), nil))
	deleted := []int{
		done(client.Repositories.DeleteReleaseAsset(ctx, owner, repo, asset.GetID())),
		done(client.Repositories.DeleteRelease(ctx, owner, repo, made.GetID())),
	}
	_, _, gone := client.Repositories.GetReleaseByTag(ctx, owner, repo, "v2.0.0")
	return seen{
		"made":       made,
		"uploaded":   asset,
		"downloaded": []any{bytes.Equal(downloaded, content), redirect, err},
		"edited":     edited,
		"listed":     listed,
		"deleted":    deleted,
		"gone":       refused(gone),
	}
}

func upload(release int64, content []byte) *github.ReleaseAsset {
	const path = "a file.bin"
	if err := os.WriteFile(path, content, 0o600); err != nil {
		log.Panic(err)
	}
	file, err := os.Open(path)
	if err != nil {
		log.Panic(err)
	}
	defer file.Close()
	return must(client.Repositories.UploadReleaseAsset(ctx, owner, repo, release, &github.UploadOptions{
		Name: path, Label: "A file", MediaType: "application/x-thing",
	}, file))
}

func edited() seen {
	must(client.Repositories.Edit(ctx, owner, repo, &github.Repository{Description: github.String("Described anew")}))
	topics := must(client.Repositories.ReplaceAllTopics(ctx, owner, repo, []string{"one", "two"}))
	return seen{
		"topics":     []any{topics, must(client.Repositories.ListAllTopics(ctx, owner, repo))},
		"repository": must(client.Repositories.Get(ctx, owner, repo)),
	}
}
