use std::io::Write;

use tempfile::TempDir;

use super::*;

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
    (directory, source, state)
}

fn names(state: &State) -> Vec<String> {
    state.objects.keys().map(ToString::to_string).collect()
}

/// The next state that is as wanted: one event may come in two.
async fn next_with(source: &mut Directory, wanted: impl Fn(&State) -> bool) -> State {
    loop {
        let state = source.next().await.unwrap();
        if wanted(&state) {
            return state;
        }
    }
}

#[tokio::test]
async fn files_come_change_and_go() {
    let (directory, mut source, state) = begun().await;
    assert_eq!(names(&state), ["Service default/a"]);
    let path = directory.path().join("b.yml");
    fs::write(directory.path().join(".b.new"), service("b", "80")).unwrap();
    fs::rename(directory.path().join(".b.new"), &path).unwrap();
    let state = next_with(&mut source, |state| state.objects.len() == 2).await;
    assert_eq!(names(&state), ["Service default/a", "Service default/b"]);
    fs::write(&path, service("c", "80")).unwrap();
    next_with(&mut source, |state| {
        names(state) == ["Service default/a", "Service default/c"]
    })
    .await;
    fs::remove_file(&path).unwrap();
    next_with(&mut source, |state| names(state) == ["Service default/a"]).await;
}

#[tokio::test]
async fn a_file_with_an_error_keeps_its_last_good_state() {
    let (directory, mut source, _) = begun().await;
    let bad = service("a", "80") + "---\n" + &service("b", "eighty");
    fs::write(directory.path().join("a.yaml"), bad).unwrap();
    let state = next_with(&mut source, |state| !state.problems.is_empty()).await;
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
    let state = next_with(&mut source, |state| state.problems.is_empty()).await;
    assert_eq!(names(&state), ["Service default/b"]);
}

#[tokio::test]
async fn a_file_that_is_being_written_is_not_read() {
    let (directory, mut source, _) = begun().await;
    let path = directory.path().join("a.yaml");
    // Open and empty, as between an editor's truncation and its writing.
    let mut open = fs::File::create(&path).unwrap();
    fs::write(directory.path().join("b.yaml"), service("b", "80")).unwrap();
    let state = next_with(&mut source, |state| state.objects.len() == 2).await;
    assert_eq!(names(&state), ["Service default/a", "Service default/b"]);
    open.write_all(service("d", "80").as_bytes()).unwrap();
    drop(open);
    next_with(&mut source, |state| {
        names(state) == ["Service default/b", "Service default/d"]
    })
    .await;
}

#[tokio::test]
async fn of_two_of_one_name_the_first_file_counts() {
    let (directory, mut source, _) = begun().await;
    fs::write(directory.path().join("b.yaml"), service("a", "81")).unwrap();
    let state = next_with(&mut source, |state| !state.problems.is_empty()).await;
    assert_eq!(state.objects.len(), 1);
    assert!(
        state.problems[0].error.contains("a.yaml already"),
        "{:?}",
        state.problems
    );
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
