//! Ids, from the randomness that is passed in.

use callbox_identity::Entropy;

/// Characters that need no escaping anywhere.
const ALPHABET: &[u8; 64] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";

fn id<const LEN: usize>(entropy: &dyn Entropy) -> String {
    let mut bytes = [0; LEN];
    entropy.fill(&mut bytes);
    bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 64)])).collect()
}

/// A message's id, 144 bits of chance: it must be unique among all messages of all clients.
pub(crate) fn message(entropy: &dyn Entropy) -> String {
    id::<24>(entropy)
}

/// A turn's id, 96 bits: unique for the life of a conversation.
pub(crate) fn request(entropy: &dyn Entropy) -> String {
    id::<16>(entropy)
}

/// A probe's id: unique on a socket.
pub(crate) fn probe(entropy: &dyn Entropy) -> String {
    id::<8>(entropy)
}

/// A connection's id: a UUID of version 4 (RFC 9562 §5.4), as the official client makes it.
pub(crate) fn connection(entropy: &dyn Entropy) -> String {
    let mut bytes = [0; 16];
    entropy.fill(&mut bytes);
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let mut text = String::with_capacity(36);
    for (at, byte) in bytes.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

/// A number for jitter.
pub(crate) fn chance(entropy: &dyn Entropy) -> u16 {
    let mut bytes = [0; 2];
    entropy.fill(&mut bytes);
    u16::from_le_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use callbox_identity::SystemEntropy;

    use super::*;

    #[test]
    fn connection_ids_are_uuids_of_version_4() {
        let id = connection(&SystemEntropy);
        let groups: Vec<usize> = id.split('-').map(str::len).collect();
        assert_eq!(groups, [8, 4, 4, 4, 12], "{id}");
        assert!(id.as_bytes()[14] == b'4' && b"89ab".contains(&id.as_bytes()[19]), "{id}");
        assert_ne!(id, connection(&SystemEntropy));
    }
}
