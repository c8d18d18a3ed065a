//! How accounts are called in lists.

use callbox_ipc::AccountEntry;

/// The person's name; of an agent where nobody is signed in, the agent's.
pub fn title(entry: &AccountEntry) -> String {
    match &entry.account {
        Some(account) if !account.name.trim().is_empty() => account.name.clone(),
        Some(account) => account.email.clone().unwrap_or_else(|| entry.agent.clone()),
        None => entry.agent.clone(),
    }
}

/// The address, which tells two of the same name apart. None where it would be said twice.
pub fn address(entry: &AccountEntry) -> Option<&str> {
    let account = entry.account.as_ref()?;
    account.email.as_deref().filter(|email| *email != title(entry))
}

/// Where it is. The sandbox's port says nothing to anybody. An agent that is there for several tenants is told with the tenant.
pub fn place(entry: &AccountEntry, all: &[AccountEntry]) -> String {
    if entry.sandbox {
        return entry.agent.clone();
    }
    let beside = |other: &AccountEntry| other.agent_host == entry.agent_host && other.tenant_host != entry.tenant_host;
    if all.iter().any(beside) { format!("{} · {}", entry.agent_host, entry.tenant_host) } else { entry.agent_host.clone() }
}

/// A letter to know it by.
pub fn initial(entry: &AccountEntry) -> String {
    letter(&title(entry))
}

/// The first letter of a name. It is drawn as a capital; to make it one here would bring in a table of all capitals there are.
pub fn letter(name: &str) -> String {
    name.chars().find(|character| character.is_alphanumeric()).map(String::from).unwrap_or_default()
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use callbox_ipc::AccountView;

    use super::*;

    fn entry(account: Option<(&str, Option<&str>)>, sandbox: bool) -> AccountEntry {
        AccountEntry {
            id: "x".into(),
            account: account.map(|(name, email)| AccountView { name: name.into(), email: email.map(str::to_owned) }),
            agent: "Desk".into(),
            agent_host: "agent.example".into(),
            tenant_host: "t.example".into(),
            sandbox,
            current: false,
            removable: false,
        }
    }

    #[test]
    fn an_account_is_called_by_name_address_and_place() {
        let told = |entry: &AccountEntry| (title(entry), address(entry).map(str::to_owned), place(entry, &[]), initial(entry));
        let is = |title: &str, address: Option<&str>, place: &str, initial: &str| {
            (title.to_owned(), address.map(str::to_owned), place.to_owned(), initial.to_owned())
        };
        let ada = entry(Some(("Ada", Some("ada@example.com"))), false);
        assert_eq!(told(&ada), is("Ada", Some("ada@example.com"), "agent.example", "A"));
        let nameless = entry(Some((" ", Some("ada@example.com"))), false);
        assert_eq!(told(&nameless), is("ada@example.com", None, "agent.example", "a"), "nothing is said twice");
        assert_eq!(told(&entry(Some(("Ada", None)), true)), is("Ada", None, "Desk", "A"));
        assert_eq!(told(&entry(None, false)), is("Desk", None, "agent.example", "D"));
        let moved = AccountEntry { tenant_host: "new.example".into(), ..entry(None, false) };
        assert_eq!(place(&ada, &[ada.clone(), moved.clone()]), "agent.example · t.example");
        assert_eq!(place(&moved, &[ada.clone(), moved.clone()]), "agent.example · new.example");
        assert_eq!(place(&ada, &[ada.clone(), ada.clone()]), "agent.example");
    }
}
