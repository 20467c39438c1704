//! Rows of tables that tests fill, one a file: a script makes the table of them.

use crate::{repository, say};

/// Says a row and writes it to the file of this name in a folder of the repository.
pub fn tell(folder: &str, name: &str, row: &str) {
    say(row);
    let folder = repository().join(folder);
    let name: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    std::fs::create_dir_all(&folder)
        .and_then(|()| std::fs::write(folder.join(name), format!("{row}\n")))
        .expect("target can be written");
}
