//! A small runner on the crate `gitlab-runner`: takes jobs until its standard input ends, runs their scripts with a shell,
//! and sends what they write as their log. Says in a line of JSON whenever it was given none. Arguments: the address of the
//! GitLab, the runner's token, a folder for builds.

use std::process::Stdio;
use std::time::Duration;

use gitlab_runner::job::Job;
use gitlab_runner::{GitlabLayer, JobHandler, JobResult, Phase, RunnerBuilder, outputln};
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::Command;
use tracing_subscriber::prelude::*;
use url::Url;

const AT_A_TIME: usize = 2;
/// How long it waits before it asks again.
const POLL: Duration = Duration::from_millis(200);

struct Shell {
    job: Job,
}

#[async_trait::async_trait]
impl JobHandler for Shell {
    async fn step(&mut self, script: &[String], phase: Phase) -> JobResult {
        outputln!("phase {phase:?}");
        // Dropped when the job is cancelled, and the shell is ended with it.
        let mut shell = Command::new("sh")
            .args(["-e", "-c", &format!("exec 2>&1\n{}", script.join("\n"))])
            .envs(
                self.job
                    .variables()
                    .map(|variable| (variable.key(), variable.value())),
            )
            .current_dir(self.job.build_dir())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| outputln!("no shell: {error}"))?;
        if let Some(output) = shell.stdout.take() {
            let mut lines = BufReader::new(output).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                outputln!("{line}");
            }
        }
        match shell.wait().await {
            Ok(status) if status.success() => Ok(()),
            ended => Err(outputln!("ended with {ended:?}")),
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [gitlab, token, builds] = arguments.as_slice() else {
        return Err("wanted: URL TOKEN FOLDER".into());
    };
    let (layer, jobs) = GitlabLayer::new();
    tracing_subscriber::registry().with(layer).init();
    let mut runner = RunnerBuilder::new(Url::parse(gitlab)?, token, builds, jobs)
        .system_id("r_crate1234567")
        .build()
        .await;
    let work = async {
        loop {
            runner.wait_for_space(AT_A_TIME).await;
            match runner
                .request_job(|job| async move { Ok(Shell { job }) })
                .await
            {
                Ok(true) => continue,
                Ok(false) => println!("{}", json!({ "kind": "none" })),
                Err(error) => {
                    println!("{}", json!({ "kind": "refused", "why": error.to_string() }))
                }
            }
            tokio::time::sleep(POLL).await;
        }
    };
    tokio::select! {
        _ = work => {}
        // Whoever started it is gone.
        _ = async { tokio::io::stdin().read_to_end(&mut Vec::new()).await } => {}
    }
    // Reading standard input cannot be given up, so the runtime would wait for it.
    std::process::exit(0)
}
