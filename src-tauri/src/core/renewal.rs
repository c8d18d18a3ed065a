//! A tenant that has forgotten the client as which this installation has registered itself: it is registered once more, and signed in at anew.
//!
//! Noticed at a refresh, and before a sign-in, which would end on the tenant's page with nothing coming back. The tenant is asked before it is
//! believed. Conversations belong to the account and stay where they are.

use callbox_identity::{Profile, Session, Slot, SystemClock, is_client_forgotten, renew_client};
use callbox_ipc::{NoticeKind, UserError};

use super::{
    Jobs, add,
    place::{Place, PlaceError},
    seat::Seat,
    view,
};

/// Renews the client when a refresh is refused because the tenant does not know it, if that happens at the seat in use; else when it happens
/// there. Ends with the session.
pub(super) fn watch(jobs: &Jobs, seat: &Seat) {
    if !seat.place.profile.registered_itself() {
        return;
    }
    let (jobs, id, mut forgotten) = (jobs.clone(), seat.id.clone(), seat.place.session.client_forgotten());
    tokio::spawn(async move {
        while forgotten.changed().await.is_ok() {
            let (is_forgotten, id) = (*forgotten.borrow_and_update(), id.clone());
            let Ok(in_use) = jobs.run(move |desk| desk.current.as_ref() == Some(&id)).await else { return };
            if !(is_forgotten && in_use) {
                continue;
            }
            let said = match renew(&jobs).await {
                Ok(false) => continue,
                Ok(true) => view::registered_again(),
                Err(error) => error,
            };
            jobs.post(move |desk| desk.notify(NoticeKind::Warning, said)).await;
        }
    });
}

/// Sees to it that the tenant knows the client of the seat in use.
pub(super) async fn before_sign_in(jobs: &Jobs) -> Result<(), UserError> {
    renew(jobs).await.map(drop)
}

/// Moves to the same agent with another client, if the tenant says that it has forgotten the one that there is. Whether it has.
async fn renew(jobs: &Jobs) -> Result<bool, UserError> {
    let (profile, session): (Profile, Session) =
        jobs.run(|desk| desk.seat().map(|seat| (seat.place.profile.clone(), seat.session())).ok_or_else(view::no_profile)).await??;
    if !profile.registered_itself() {
        return Ok(false);
    }
    let http = callbox_link::http_client(profile.issuer.url()).map_err(|error| view::error(&PlaceError::from(error)))?;
    if !is_client_forgotten(&http, &SystemClock, &profile).await {
        return Ok(false);
    }
    tracing::info!("the tenant has forgotten this installation");
    let renewed = renew_client(&http, &SystemClock, &profile, add::NAME).await;
    let renewed = renewed.map_err(|error| view::error(&add::AddError::from(error)))?;
    let (vault, data, config) = jobs.run(|desk| (desk.vault(), desk.data(), desk.config())).await?;
    let kept = add::keep(&config, &renewed);
    let (slot, file) = (Slot::first(&renewed), kept.as_ref().ok().cloned());
    let place = Place::new(renewed, slot, file, &vault, &data, None).map_err(|error| view::error(&error))?;
    // What the forgotten client was granted is worth nothing, and is not left in the keychain.
    session.sign_out().await;
    jobs.run(move |desk| {
        match kept {
            Ok(file) => desk.remember_agent(file),
            Err(error) => desk.notify(NoticeKind::Warning, view::error(&error)),
        }
        desk.take_place(place, None);
        desk.look_at_accounts();
    })
    .await?;
    Ok(true)
}
