//! Releases and their files, uploads included.

use crate::reply::Reply;
use crate::routes::issues::number;
use crate::routes::repos::{get, get_mut};
use crate::routes::{paging, text, Call};
use crate::world::{Asset, Release, Repo, World};
use serde_json::Value;
use std::collections::BTreeMap;

/// Answers a request below `/releases`.
pub fn dispatch(
    call: &Call<'_>,
    world: &mut World,
    id: u64,
    path: &[&str],
) -> Result<Reply, Reply> {
    let public = |release: &&Release| !release.draft && !release.prerelease;
    match (call.method(), path) {
        ("GET", ["releases"]) => {
            let repo = get(world, id)?;
            let view = call.view(world);
            let all: Vec<&Release> = repo.releases.values().rev().collect();
            let path = format!("/repositories/{id}/releases");
            Ok(paging::list(call, &path, &all, |release| {
                view.release(repo, release)
            }))
        }
        ("POST", ["releases"]) => create(call, world, id),
        ("GET", ["releases", "latest"]) => {
            let repo = get(world, id)?;
            show(call, world, repo, repo.releases.values().rev().find(public))
        }
        ("GET", ["releases", "tags", tag @ ..]) => {
            let repo = get(world, id)?;
            let tag = tag.join("/");
            show(
                call,
                world,
                repo,
                repo.releases.values().find(|release| release.tag == tag),
            )
        }
        (method, ["releases", "assets", asset]) => {
            one_asset(call, world, id, method, number(asset)?)
        }
        ("GET", ["releases", release]) => {
            let repo = get(world, id)?;
            show(call, world, repo, repo.releases.get(&number(release)?))
        }
        ("PATCH", ["releases", release]) => change(call, world, id, number(release)?),
        ("DELETE", ["releases", release]) => {
            let removed = get_mut(world, id)?.releases.remove(&number(release)?);
            removed
                .map(|_| Reply::no_content())
                .ok_or_else(Reply::not_found)
        }
        ("GET", ["releases", release, "assets"]) => {
            let repo = get(world, id)?;
            let release = repo
                .releases
                .get(&number(release)?)
                .ok_or_else(Reply::not_found)?;
            let view = call.view(world);
            let all: Vec<&Asset> = release.assets.values().collect();
            let path = format!("/repositories/{id}/releases/{}/assets", release.id);
            Ok(paging::list(call, &path, &all, |asset| {
                view.asset(repo, release, asset)
            }))
        }
        ("POST", ["releases", release, "assets"]) => upload(call, world, id, number(release)?),
        _ => Err(Reply::not_found()),
    }
}

fn show(
    call: &Call<'_>,
    world: &World,
    repo: &Repo,
    found: Option<&Release>,
) -> Result<Reply, Reply> {
    let release = found.ok_or_else(Reply::not_found)?;
    Ok(Reply::json(call.view(world).release(repo, release)).modified(repo.updated))
}

/// Applies the members that POST and PATCH have in common.
fn apply(release: &mut Release, wanted: &Value) {
    let flag = |key: &str, old: bool| wanted.get(key).and_then(Value::as_bool).unwrap_or(old);
    release.draft = flag("draft", release.draft);
    release.prerelease = flag("prerelease", release.prerelease);
    if let Some(tag) = text(wanted, "tag_name") {
        release.tag = tag;
    }
    if let Some(target) = text(wanted, "target_commitish") {
        release.target = target;
    }
    if wanted.get("name").is_some() {
        release.name = text(wanted, "name");
    }
    if wanted.get("body").is_some() {
        release.body = text(wanted, "body");
    }
}

fn create(call: &Call<'_>, world: &mut World, id: u64) -> Result<Reply, Reply> {
    let wanted = call.json()?;
    let tag = text(&wanted, "tag_name").filter(|tag| !tag.is_empty());
    let tag = tag.ok_or_else(|| Reply::invalid("Release", "tag_name", "missing_field"))?;
    let user = call.actor();
    world.ensure_user(&user);
    let (new, now) = (world.next_id(), world.tick());
    let repo = get_mut(world, id)?;
    if repo.releases.values().any(|release| release.tag == tag) {
        return Err(Reply::invalid("Release", "tag_name", "already_exists"));
    }
    let mut release = Release {
        id: new,
        tag,
        target: repo.default_branch.clone(),
        name: None,
        body: None,
        draft: false,
        prerelease: false,
        user,
        created: now,
        assets: BTreeMap::new(),
    };
    apply(&mut release, &wanted);
    if let (Some(sha), false) = (repo.resolve(&release.target), release.draft) {
        repo.refs
            .entry(format!("refs/tags/{}", release.tag))
            .or_insert(sha);
    }
    repo.releases.insert(new, release);
    repo.updated = now;
    let repo = get(world, id)?;
    let release = repo.releases.get(&new).ok_or_else(Reply::not_found)?;
    Ok(Reply::created(call.view(world).release(repo, release)))
}

fn change(call: &Call<'_>, world: &mut World, id: u64, release: u64) -> Result<Reply, Reply> {
    let wanted = call.json()?;
    let now = world.tick();
    let repo = get_mut(world, id)?;
    apply(
        repo.releases
            .get_mut(&release)
            .ok_or_else(Reply::not_found)?,
        &wanted,
    );
    repo.updated = now;
    let repo = get(world, id)?;
    show(call, world, repo, repo.releases.get(&release))
}

fn upload(call: &Call<'_>, world: &mut World, id: u64, release: u64) -> Result<Reply, Reply> {
    let name = call
        .request
        .parameter("name")
        .filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| Reply::invalid("ReleaseAsset", "name", "missing_field"))?;
    let user = call.actor();
    world.ensure_user(&user);
    let (new, now) = (world.next_id(), world.tick());
    let repo = get_mut(world, id)?;
    let found = repo
        .releases
        .get_mut(&release)
        .ok_or_else(Reply::not_found)?;
    if found.assets.values().any(|asset| asset.name == name) {
        return Err(Reply::invalid("ReleaseAsset", "name", "already_exists"));
    }
    let body = &call.request.body;
    let content_type = match call.request.header("content-type") {
        "" => "application/octet-stream",
        given => given,
    };
    let asset = Asset {
        id: new,
        name,
        label: call.request.parameter("label"),
        content_type: content_type.to_owned(),
        content: body.bytes.clone(),
        size: body.length,
        sha256: body.sha256.clone(),
        user,
        created: now,
    };
    found.assets.insert(new, asset);
    let repo = get(world, id)?;
    let release = repo.releases.get(&release).ok_or_else(Reply::not_found)?;
    let asset = release.assets.get(&new).ok_or_else(Reply::not_found)?;
    Ok(Reply::created(call.view(world).asset(repo, release, asset)))
}

fn one_asset(
    call: &Call<'_>,
    world: &mut World,
    id: u64,
    method: &str,
    asset: u64,
) -> Result<Reply, Reply> {
    if method == "DELETE" {
        let releases = get_mut(world, id)?.releases.values_mut();
        let mut removed = releases.map(|release| release.assets.remove(&asset));
        let found = removed.any(|asset| asset.is_some());
        return if found {
            Ok(Reply::no_content())
        } else {
            Err(Reply::not_found())
        };
    }
    if method != "GET" {
        return Err(Reply::not_found());
    }
    let repo = get(world, id)?;
    let mut all = repo.releases.values();
    let found = all.find_map(|release| Some((release, release.assets.get(&asset)?)));
    let (release, asset) = found.ok_or_else(Reply::not_found)?;
    if call
        .request
        .header("accept")
        .contains("application/octet-stream")
    {
        return Ok(Reply::bytes(
            "application/octet-stream",
            asset.content.clone(),
        ));
    }
    Ok(Reply::json(call.view(world).asset(repo, release, asset)).modified(asset.created))
}
