//! The coordinator of the crate `gitlab-runner-mock`, steered line by line: each line of standard input is a request as
//! JSON, each line of standard output its answer. It says first where it listens, and ends with its standard input.

use gitlab_runner_mock::{GitlabRunnerMock, MockJob, MockJobStepName, MockJobStepWhen};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader, stdin};

#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "lowercase")]
enum Request {
    /** Queues a job; answered with its id. */
    Add {
        name: String,
        script: Vec<String>,
        after: Vec<String>,
        variables: Vec<(String, String)>,
    },
    /** Ends a running job from outside. */
    Cancel { id: u64 },
    /** Answered with what arrived of a job. */
    Show { id: u64 },
}

fn add(
    mock: &GitlabRunnerMock,
    name: String,
    script: Vec<String>,
    after: Vec<String>,
    variables: Vec<(String, String)>,
) -> Value {
    let mut job = mock.job_builder(name);
    for (key, value) in variables {
        job.add_variable(key, value, true, false);
    }
    job.add_step(
        MockJobStepName::Script,
        script,
        3600,
        MockJobStepWhen::OnSuccess,
        false,
    );
    if !after.is_empty() {
        job.add_step(
            MockJobStepName::AfterScript,
            after,
            300,
            MockJobStepWhen::Always,
            true,
        );
    }
    let job = job.build();
    mock.enqueue_job(job.clone());
    json!({ "id": job.id() })
}

fn show(job: &MockJob) -> Value {
    json!({
        "state": job.state().to_string(),
        "log": String::from_utf8_lossy(&job.log()),
        "patches": job.log_patches(),
        "updates": job.state_updates(),
    })
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mock = GitlabRunnerMock::start().await;
    mock.set_update_interval(1);
    println!(
        "{}",
        json!({ "url": mock.uri().as_str(), "token": mock.runner_token() })
    );
    let mut lines = BufReader::new(stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        let answer = match serde_json::from_str(&line)? {
            Request::Add {
                name,
                script,
                after,
                variables,
            } => add(&mock, name, script, after, variables),
            Request::Cancel { id } => {
                let job = mock.get_job(id).ok_or("no such job")?;
                job.cancel();
                show(&job)
            }
            Request::Show { id } => show(&mock.get_job(id).ok_or("no such job")?),
        };
        println!("{answer}");
    }
    Ok(())
}
