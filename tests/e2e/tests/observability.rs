//! Prometheus rules and Grafana dashboards, before any data: rules pass their own tests, each
//! alert has a case in which it fires and one in which it does not, and dashboards are such as
//! Grafana takes.

use e2e::binaries;
use e2e::dashboards::{self, Dashboard};
use e2e::prometheus::{observability, promtool};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

/// The names of the files in a folder of the rules.
fn files(folder: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(observability().join("prometheus").join(folder));
    let entries = entries.expect("a folder");
    entries.map(|entry| entry.expect("a file").path()).collect()
}

fn check(command: &[&str], files: &[PathBuf]) {
    let files = files
        .iter()
        .map(|path| path.to_str().expect("a path in UTF-8"));
    let arguments: Vec<&str> = command.iter().copied().chain(files).collect();
    let (content, said) = promtool(&arguments);
    assert!(content, "promtool {command:?}:\n{said}");
}

#[test]
fn rules_and_configuration_are_valid_and_pass_their_tests() {
    check(&["check", "config", "prometheus.yml"], &[]);
    check(&["check", "rules"], &files("rules"));
    check(&["test", "rules"], &files("tests"));
}

/// `exp_alerts` of promtool's cases says all that fires, so an empty one means silence. Whoever
/// is woken by it finds it in the documentation.
#[test]
fn every_alert_fires_in_a_case_is_silent_in_another_and_is_documented() {
    let text = |folder| -> String {
        let texts = files(folder);
        let texts = texts
            .iter()
            .map(|path| std::fs::read_to_string(path).expect("text"));
        texts.collect()
    };
    let (rules, cases) = (text("rules"), text("tests"));
    let documentation = observability().join("../docs/operations.md");
    let documentation = std::fs::read_to_string(documentation).expect("a document");
    let alerts: Vec<&str> = rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "))
        .collect();
    assert!(alerts.len() > 10, "{alerts:?}");
    for alert in alerts {
        let silent = format!("alertname: {alert}, exp_alerts: [] }}");
        let fires = format!("alertname: {alert}\n    exp_alerts:\n    - exp_labels:");
        assert!(cases.contains(&silent), "{alert} has no case of silence");
        assert!(cases.contains(&fires), "{alert} never fires");
        let named = format!("`{alert}`");
        assert!(documentation.contains(&named), "{alert} is not documented");
    }
}

/// Grafana's own types, of the oldest and the newest version that there are types of, know every
/// key and value.
#[test]
fn dashboards_are_of_grafanas_types() {
    let types = std::fs::read_dir(binaries::tool("grafana-types")).expect("a folder");
    let types: Vec<_> = types.map(|entry| entry.expect("a folder").path()).collect();
    assert!(types.len() >= 2, "{types:?}");
    let script = observability().join("../tests/observability/check_dashboards.py");
    for version in types {
        let mut command = Command::new("python3");
        command.arg(&script).arg(&version).args(dashboards::paths());
        let output = command.output().expect("python3");
        let findings = String::from_utf8_lossy(&output.stdout);
        let trouble = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{version:?}:\n{findings}{trouble}");
    }
}

#[test]
fn dashboards_have_unique_ids_a_chosen_data_source_and_no_panels_on_top_of_others() {
    let all = dashboards::all();
    let uids: BTreeSet<_> = all.iter().map(|it| it.json["uid"].to_string()).collect();
    assert_eq!(uids.len(), all.len(), "{uids:?}");
    for Dashboard { name, json } in &all {
        let panels = json["panels"].as_array().expect("panels");
        let ids: BTreeSet<_> = panels
            .iter()
            .map(|it| it["id"].as_u64().expect("an id"))
            .collect();
        assert_eq!(ids.len(), panels.len(), "{name}");
        assert_eq!(
            json["id"],
            serde_json::Value::Null,
            "{name}: ids are the server's"
        );
        let mut taken = BTreeSet::new();
        for panel in panels {
            let title = panel["title"].as_str().expect("a title");
            let number = |key: &str| panel["gridPos"][key].as_u64().expect("a place");
            for x in number("x")..number("x") + number("w") {
                for y in number("y")..number("y") + number("h") {
                    assert!(
                        x < 24 && taken.insert((x, y)),
                        "{name}: {title} at {x}, {y}"
                    );
                }
            }
            if panel["type"] == "row" {
                continue;
            }
            assert!(
                !panel["description"].as_str().unwrap_or("").is_empty(),
                "{title}"
            );
            let targets = panel["targets"].as_array().expect("targets");
            assert!(!targets.is_empty(), "{name}: {title}");
            for holder in targets.iter().chain([panel]) {
                let source = &holder["datasource"]["uid"];
                assert_eq!(source, "${datasource}", "{name}: {title}");
            }
            let references: BTreeSet<_> =
                targets.iter().map(|it| it["refId"].to_string()).collect();
            assert_eq!(references.len(), targets.len(), "{name}: {title}");
        }
    }
}
