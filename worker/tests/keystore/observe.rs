//! What a backend holds, as the steps left it.

use wacore::store::traits::Backend;

use crate::steps::{ADDRESSES, IDS, NAMES, USERS, said, sorted, state};

/// All that can be read, over the keys the steps use.
pub(crate) async fn observe(on: &dyn Backend) -> Vec<String> {
    let mut seen = Vec::new();
    for address in ADDRESSES {
        seen.push(said(on.load_identity(address).await));
        seen.push(said(on.get_session(address).await));
        seen.push(said(on.has_session(address).await));
        seen.push(said(on.get_sender_key(address).await));
        for id in ["A", "", "C"] {
            seen.push(said(on.has_same_base_key(address, id, b"").await));
            for chat in NAMES {
                seen.push(said(on.get_msg_secret(chat, address, id).await));
                seen.push(said(on.get_msg_secret_with_ts(chat, address, id).await));
                seen.push(said(on.get_pending_inbound(chat, address, id).await));
            }
        }
    }
    for user in USERS {
        seen.push(said(on.has_signal_state_for_user(user).await));
        seen.push(said(on.get_devices(user).await));
        seen.push(said(on.get_tc_token(user).await));
    }
    for id in IDS {
        seen.push(said(on.load_prekey(id).await));
        seen.push(said(on.load_signed_prekey(id).await));
    }
    seen.push(said(on.load_prekeys_batch(&IDS).await));
    seen.push(said(on.get_max_prekey_id().await));
    seen.push(sorted(on.load_all_signed_prekeys().await));
    for index in 0..5_u8 {
        seen.push(said(on.get_sync_key(&[index]).await));
    }
    seen.push(said(on.get_latest_sync_key_id().await));
    for name in NAMES {
        seen.push(state(on.get_version(name).await));
        let all = [0, 1, 2, 3, 4, 9].map(|index| [index; 32]);
        let macs = on.get_mutation_macs(name, &all).await;
        seen.push(sorted(macs.map(|macs| macs.into_iter().collect())));
        seen.push(said(on.get_mutation_mac(name, &all[2]).await));
        seen.push(sorted(on.get_sender_key_devices(name).await));
        seen.push(said(on.get_group_metadata(name).await));
    }
    for index in 0..3 {
        seen.push(said(on.get_lid_mapping(&format!("lid{index}")).await));
        seen.push(said(on.get_pn_mapping(&format!("phone{index}")).await));
    }
    seen.push(sorted(on.get_all_lid_mappings().await));
    seen.push(sorted(on.get_all_tc_token_jids().await));
    seen
}
