use std::fs;
use std::io::Write;

use tempfile::TempDir;

use super::*;
use crate::services::object::{Id, Object};

fn service(name: &str, port: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\nspec: {{clusterIP: 10.96.0.1, ports: [{{port: {port}}}]}}\n"
    )
}

/// A directory with one Service, read once.
async fn begun() -> (TempDir, Directory, State) {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("a.yaml"), service("a", "80")).unwrap();
    fs::write(directory.path().join("notes.txt"), "nothing").unwrap();
    let mut source = Directory::new(directory.path());
    let state = source.next().await.unwrap();
    assert_eq!(state.gone, None, "all there is");
    (directory, source, state)
}

fn names(state: &State) -> Vec<String> {
    state.objects.keys().map(ToString::to_string).collect()
}

/// Takes in what was told, as whoever follows a source does.
fn take(all: &mut State, told: State) {
    match told.gone {
        None => all.objects = told.objects,
        Some(gone) => {
            all.objects.retain(|id, _| !gone.contains(id));
            all.objects.extend(told.objects);
        }
    }
    all.problems = told.problems;
}

/// Follows the source until all that it has told is as wanted: one event may come in two.
async fn follow(source: &mut Directory, all: &mut State, wanted: impl Fn(&State) -> bool) {
    loop {
        take(all, source.next().await.unwrap());
        if wanted(all) {
            return;
        }
    }
}

#[tokio::test]
async fn files_come_change_and_go() {
    let (directory, mut source, mut state) = begun().await;
    assert_eq!(names(&state), ["Service default/a"]);
    let path = directory.path().join("b.yml");
    fs::write(directory.path().join(".b.new"), service("b", "80")).unwrap();
    fs::rename(directory.path().join(".b.new"), &path).unwrap();
    follow(&mut source, &mut state, |state| state.objects.len() == 2).await;
    assert_eq!(names(&state), ["Service default/a", "Service default/b"]);
    fs::write(&path, service("c", "80")).unwrap();
    follow(&mut source, &mut state, |state| {
        names(state) == ["Service default/a", "Service default/c"]
    })
    .await;
    fs::remove_file(&path).unwrap();
    follow(&mut source, &mut state, |state| {
        names(state) == ["Service default/a"]
    })
    .await;
}

#[tokio::test]
async fn a_file_with_an_error_keeps_its_last_good_state() {
    let (directory, mut source, mut state) = begun().await;
    let bad = service("a", "80") + "---\n" + &service("b", "eighty");
    fs::write(directory.path().join("a.yaml"), bad).unwrap();
    follow(&mut source, &mut state, |state| !state.problems.is_empty()).await;
    assert_eq!(names(&state), ["Service default/a"]);
    let [problem] = &state.problems[..] else {
        panic!("{:?}", state.problems)
    };
    assert_eq!(problem.document, 2);
    assert!(
        problem.place.ends_with("a.yaml") && problem.error.starts_with("spec.ports[0].port"),
        "{problem:?}"
    );
    fs::write(directory.path().join("a.yaml"), service("b", "80")).unwrap();
    follow(&mut source, &mut state, |state| state.problems.is_empty()).await;
    assert_eq!(names(&state), ["Service default/b"]);
}

#[tokio::test]
async fn a_file_that_is_being_written_is_not_read() {
    let (directory, mut source, mut state) = begun().await;
    let path = directory.path().join("a.yaml");
    // Open and empty, as between an editor's truncation and its writing.
    let mut open = fs::File::create(&path).unwrap();
    fs::write(directory.path().join("b.yaml"), service("b", "80")).unwrap();
    follow(&mut source, &mut state, |state| state.objects.len() == 2).await;
    assert_eq!(names(&state), ["Service default/a", "Service default/b"]);
    open.write_all(service("d", "80").as_bytes()).unwrap();
    drop(open);
    follow(&mut source, &mut state, |state| {
        names(state) == ["Service default/b", "Service default/d"]
    })
    .await;
}

#[tokio::test]
async fn of_two_of_one_name_the_first_file_counts() {
    let (directory, mut source, mut state) = begun().await;
    fs::write(directory.path().join("b.yaml"), service("a", "81")).unwrap();
    follow(&mut source, &mut state, |state| !state.problems.is_empty()).await;
    assert_eq!(state.objects.len(), 1);
    assert!(
        state.problems[0].error.contains("a.yaml already"),
        "{:?}",
        state.problems
    );
}

#[tokio::test]
async fn what_is_told_is_what_has_changed() {
    let (directory, mut source, mut state) = begun().await;
    fs::write(directory.path().join("b.yaml"), service("b", "80")).unwrap();
    follow(&mut source, &mut state, |state| state.objects.len() == 2).await;
    fs::write(directory.path().join("b.yaml"), service("c", "80")).unwrap();
    let told = source.next().await.unwrap();
    assert_eq!(names(&told), ["Service default/c"]);
    let gone: Vec<_> = told.gone.iter().flatten().map(Id::to_string).collect();
    assert_eq!(gone, ["Service default/b"]);
}

#[tokio::test]
async fn the_second_counts_once_the_first_is_gone() {
    let (directory, mut source, mut state) = begun().await;
    let twice = service("a", "81") + "---\n" + &service("a", "82");
    fs::write(directory.path().join("b.yaml"), twice).unwrap();
    let port = |state: &State| match state.objects.values().next().map(AsRef::as_ref) {
        Some(Object::Service(service)) => service.ports[0].port,
        other => panic!("{other:?}"),
    };
    follow(&mut source, &mut state, |state| state.problems.len() == 2).await;
    assert_eq!(port(&state), 80);
    fs::remove_file(directory.path().join("a.yaml")).unwrap();
    follow(&mut source, &mut state, |state| state.problems.len() == 1).await;
    assert_eq!(port(&state), 81);
    assert!(state.problems[0].error.contains("b.yaml already"));
    fs::remove_file(directory.path().join("b.yaml")).unwrap();
    follow(&mut source, &mut state, |state| state.objects.is_empty()).await;
    assert_eq!(state.problems, []);
}

#[tokio::test]
async fn a_bad_file_among_many_is_told_and_the_others_count() {
    let directory = tempfile::tempdir().unwrap();
    for number in 0..500 {
        let path = directory.path().join(format!("{number:03}.yaml"));
        let port = if number == 321 { "no" } else { "80" };
        fs::write(path, service(&format!("s{number:03}"), port)).unwrap();
    }
    let mut source = Directory::new(directory.path());
    let state = source.next().await.unwrap();
    assert_eq!(state.objects.len(), 499);
    assert!(state.problems[0].place.ends_with("321.yaml"));
}

#[tokio::test]
async fn a_directory_that_is_not_there_is_an_error_and_comes_later() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("later");
    let mut source = Directory::new(&path);
    let error = source.next().await.unwrap_err();
    assert!(error.to_string().contains("later"), "{error}");
    fs::create_dir(&path).unwrap();
    fs::write(
        path.join("a.json"),
        "{\"apiVersion\": \"v1\", \"kind\": \"Node\", \"metadata\": {\"name\": \"n\"}}",
    )
    .unwrap();
    // Nobody tells of it: the next look does.
    source.begun = false;
    assert_eq!(names(&source.next().await.unwrap()), ["Node n"]);
}
