//! Keys of alerts on their way.

use super::keys::{FIRING, OUTBOX, join, last_sixteen};
use crate::{
    domain::{
        alerts::Delivery,
        ids::{AlertId, TaskId},
    },
    store::Place,
};

/// The key of a task that has a message whose occasion lasts.
pub(crate) fn firing(task: TaskId) -> Vec<u8> {
    join(FIRING, &[&task.to_bytes()])
}

/// The prefix of the deliveries of a place, or of those of a channel there.
pub(crate) fn deliveries(place: Place, channel: Option<&str>) -> Vec<u8> {
    let at = [place as u8];
    match channel {
        Some(channel) => join(OUTBOX, &[&at, channel.as_bytes(), &[0]]),
        None => join(OUTBOX, &[&at]),
    }
}

pub(crate) fn delivery(delivery: &Delivery) -> Vec<u8> {
    let place = Place::of(delivery);
    let channel = (place != Place::Over).then_some(delivery.alert.channel.as_str());
    [&deliveries(place, channel)[..], &delivery.alert.id.to_bytes()].concat()
}

/// The channel in the key of a delivery that waits.
pub(crate) fn channel_of(key: &[u8]) -> Option<&str> {
    std::str::from_utf8(key.get(2..key.len().checked_sub(17)?)?).ok()
}

/// The alert id at the end of a key.
pub(crate) fn last_alert(key: &[u8]) -> Option<AlertId> {
    last_sixteen(key).map(AlertId::from_bytes)
}
