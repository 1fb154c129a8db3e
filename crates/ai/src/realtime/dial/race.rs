//! The first address that answers: they are tried one after the other, each with a short head start, so that a broken IPv6
//! route costs a quarter of a second and not the call (RFC 8305 §5).

use futures::{StreamExt, stream::FuturesUnordered};
use std::{io, net::SocketAddr, time::Duration};
use tokio::{
    net::{TcpStream, lookup_host},
    time::sleep,
};

/// Before the next address is tried too (RFC 8305 §8).
const HEAD_START: Duration = Duration::from_millis(250);

pub async fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    let mut addresses = alternating(lookup_host((host, port)).await?.collect()).into_iter();
    let mut attempts = FuturesUnordered::new();
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    loop {
        match addresses.next() {
            Some(address) => attempts.push(TcpStream::connect(address)),
            None if attempts.is_empty() => return Err(failure),
            None => {}
        }
        let more = addresses.len() > 0;
        tokio::select! {
            biased;
            Some(attempt) = attempts.next() => match attempt {
                Ok(stream) => return Ok(stream),
                Err(error) => failure = error,
            },
            () = sleep(HEAD_START), if more => {}
        }
    }
}

/// Families take turns, beginning with the resolver's first choice.
fn alternating(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (preferred, other): (Vec<_>, Vec<_>) = addresses.into_iter().partition(|address| address.is_ipv6() == first_is_v6);
    let longer = preferred.len().max(other.len());
    (0..longer).flat_map(|i| [preferred.get(i), other.get(i)]).flatten().copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_take_turns() {
        let addresses = ["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1"].map(|a| a.parse().expect("an address"));
        let order: Vec<String> = alternating(addresses.to_vec()).iter().map(ToString::to_string).collect();
        assert_eq!(order, ["[::1]:1", "1.1.1.1:1", "[::2]:1", "[::3]:1"]);
        assert!(alternating(Vec::new()).is_empty());
    }
}
