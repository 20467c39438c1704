//! `egret token`: make, list and remove API tokens.

use anyhow::{Result, bail};
use egret_event::{HumanDuration, SmolStr};
use egret_store::{Role, Store, TokenRow};

use crate::cli::{TokenAction, TokenArgs};
use crate::clock;
use crate::config::load_without_secrets;
use crate::terminal::{shown, table};

/// Carries out what is asked. A running egret learns of it within seconds.
pub fn run(args: &TokenArgs) -> Result<()> {
    let store = Store::open(&load_without_secrets(&args.config)?.config.store)?;
    match &args.action {
        TokenAction::Create { name, role, expires } => {
            create(&store, name, (*role).into(), *expires)
        }
        TokenAction::List => list(&store),
        TokenAction::Remove { name } => {
            if !store.remove_token(name)? {
                bail!("no token is named {name:?} (`egret token list` shows them)");
            }
            Ok(())
        }
    }
}

fn create(store: &Store, name: &str, role: Role, expires: Option<HumanDuration>) -> Result<()> {
    if name.is_empty() || name.chars().any(char::is_control) {
        bail!("a token's name must not be empty or hold control characters");
    }
    let (secret, hash) = egret_api::new_token();
    let created_at = clock::now();
    store.add_token(&TokenRow {
        name: SmolStr::from(name),
        hash,
        role,
        created_at,
        expires_at: expires.map(|from_now| created_at + from_now.0),
    })?;
    eprintln!("the token of {} ({role:?}); it cannot be shown again:", shown(name));
    println!("{secret}");
    Ok(())
}

fn list(store: &Store) -> Result<()> {
    let rows: Vec<Vec<String>> = store
        .tokens()?
        .iter()
        .map(|token| {
            vec![
                shown(&token.name),
                format!("{:?}", token.role).to_lowercase(),
                token.created_at.to_string(),
                token.expires_at.map_or_else(|| "never".to_owned(), |at| at.to_string()),
            ]
        })
        .collect();
    print!("{}", table(&["NAME", "ROLE", "CREATED", "EXPIRES"], &rows));
    Ok(())
}
